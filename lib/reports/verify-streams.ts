/** Verification of streams: the ends of each file, and in a deep pass every chunk of it. */
import { openStream } from '../../vlog/stream/stream-reader.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import { streamFiles } from '../tree/version/version.ts'
import type { StreamFile } from '../tree/version/version-edit.ts'
import { findDamage, type VerifyPass } from './verify-pass.ts'

/**
 * @param done files of the value log that were proved before
 * @returns bytes of values that were read and proved
 */
export async function verifyStreams(
  pass: VerifyPass,
  tables: number,
  done: number,
): Promise<number> {
  const { engine, version, findings, proved } = pass
  let valueBytes = 0
  let count = done
  for (const stream of streamFiles(version)) {
    const { number } = stream
    const pause = (): Promise<void> => pass.pause(tables, count)
    await pause()
    let known = proved.streams.get(number)
    if (known === undefined) {
      const error = await findDamage(async () => {
        known = await verifyStream(pass, stream, pause)
        proved.streams.set(number, known)
      })
      // One that is no longer in the version was dropped in order.
      const isHeld = engine.version.files.has(number)
      const records = engine.space.references.of(number)?.records ?? 0
      if (isHeld) findings.note(error, records)
    }
    valueBytes += known ?? 0
    count++
  }
  return valueBytes
}

async function verifyStream(
  { engine, deep }: VerifyPass,
  { number, salt, length }: StreamFile,
  pause: () => Promise<void>,
): Promise<number> {
  const { fileSystem, directory, databaseId } = engine.context
  const name = segmentName(number)
  const expected = { number, salt, length, databaseId }
  const reader = openStream(fileSystem, joinPath(directory, name), name, expected)
  try {
    if (!deep) return 0
    let bytes = 0
    for (const slice of reader.verifySlices()) {
      bytes += slice
      await pause()
    }
    return bytes
  } finally {
    reader.close()
  }
}
