/**
 * An open file of the fault-injecting file system: nothing is asked of it once it is closed, and asynchronous
 * calls settle some turns later. What the calls do is the file system's part (fault-file-system.ts).
 */
import { IoError } from '#dist/lib/base/errors.js'
import type { File, OpenMode } from '#dist/lib/base/files/file-system.js'
import type { CallKind, Fault } from './fault-calls.ts'
import { joined, statOf, type VisibleFile } from './visible-disk.ts'

/** What the file system does for its files. */
export interface FileCalls {
  enter(kind: CallKind, path: string): Fault | undefined
  violate(rule: string): void
  /** Some turns of the event loop. */
  turns(): Promise<void>
  /** Resolves when an asynchronous read may go on. */
  readHeld(path: string): Promise<void>
  beginWrite(open: OpenedFile, bytes: Uint8Array, position: number): () => void
  beginSync(open: OpenedFile): () => void
  punch(open: OpenedFile, position: number, length: number): boolean
  close(open: OpenedFile): void
}

export interface OpenedFile {
  readonly path: string
  readonly file: VisibleFile
  readonly mode: OpenMode
}

export function faultFile(calls: FileCalls, open: OpenedFile): File {
  const { path, file } = open
  let closed = false
  const use = (what: string): void => {
    if (!closed) return
    calls.violate(`${what} of a closed file path=${path}`)
    throw new IoError(what, path, 'EBADF')
  }
  const refuse = (kind: CallKind, fault: Fault | undefined): void => {
    if (fault) throw new IoError(kind, path, fault.errno)
  }
  const read = (target: Uint8Array, at: number, length: number, position: number): number => {
    const available = Math.max(0, Math.min(length, file.content.size - position))
    target.set(file.content.view().subarray(position, position + available), at)
    return available
  }
  const sync = (): void => {
    use('sync')
    calls.beginSync(open)()
  }
  return {
    path,
    read: (target, at, length, position) => {
      use('read')
      refuse('read', calls.enter('read', path))
      return read(target, at, length, position)
    },
    readAsync: async (target, at, length, position) => {
      use('read')
      const fault = calls.enter('read', path)
      await calls.turns()
      await calls.readHeld(path)
      refuse('read', fault)
      return read(target, at, length, position)
    },
    write: (source, at, length, position) => {
      use('write')
      calls.beginWrite(open, source.slice(at, at + length), position)()
    },
    writev: (sources, position) => {
      use('write')
      calls.beginWrite(open, joined(sources), position)()
    },
    writevAsync: async (sources, position) => {
      use('write')
      const bytes = joined(sources)
      const end = calls.beginWrite(open, bytes, position)
      await calls.turns()
      if (Buffer.compare(bytes, joined(sources)) !== 0) {
        calls.violate(`memory of an asynchronous write changed path=${path}`)
      }
      end()
    },
    dataSync: sync,
    sync,
    dataSyncAsync: async () => {
      use('sync')
      const end = calls.beginSync(open)
      await calls.turns()
      end()
    },
    punch: (position, length) => {
      use('punch')
      return calls.punch(open, position, length)
    },
    stat: () => {
      use('stat')
      refuse('stat', calls.enter('stat', path))
      return statOf(file)
    },
    close: () => {
      if (closed) return
      closed = true
      calls.close(open)
    },
  }
}
