/**
 * Whether the process has descriptors left, asked before something that the platform would not do again.
 *
 * That a module or an addon could not be loaded is remembered for the life of the process, also if there was only no
 * descriptor to read it with.
 */
import fs from 'node:fs'
import { IoError } from '../errors.ts'
import { withDescriptor } from '../files/spare-files.ts'

/** @throws IoError EMFILE or ENFILE if the process could not open so many files now */
export function requireDescriptors(count: number): void {
  withDescriptor(() => openAndClose(count))
}

function openAndClose(count: number): void {
  const path = process.execPath
  const opened: number[] = []
  try {
    while (opened.length < count) opened.push(fs.openSync(path, fs.constants.O_RDONLY))
  } catch (error) {
    const { code } = error as { code?: unknown }
    // Any other says nothing of descriptors: the program itself may not be readable.
    if (code === 'EMFILE' || code === 'ENFILE') {
      throw new IoError('open', path, code, { cause: error })
    }
  } finally {
    for (const descriptor of opened) fs.closeSync(descriptor)
  }
}
