/** The manifest and CURRENT: there and back, torn or corrupt, every byte flipped, every length. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { CorruptionError, WiscError } from '#dist/lib/base/errors.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { readCurrent, writeCurrent } from '#dist/lib/tree/version/current.js'
import { ManifestWriter } from '#dist/lib/tree/version/manifest.js'
import { type ReadManifest, readManifest } from '#dist/lib/tree/version/manifest-reader.js'
import { EMPTY_VERSION } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import type { VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { logFile } from '../../../support/parts/log-files.ts'
import { meta } from '../../../support/parts/table-metas.ts'

const DATABASE_ID = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
const IDENTITY = { kind: 'manifest' as const, databaseId: DATABASE_ID, number: 1, salt: 77 }
const EDITS: readonly VersionEdit[] = [
  { nextFileNumber: 100, addedFiles: [logFile(2)] },
  { lastSequence: 7, addedTables: [{ level: 0, runId: 3, meta: meta(3, 'a', 'k') }] },
  {
    addedTables: [{ level: 0, runId: 4, meta: meta(4, 'b', 'z') }],
    checkpoint: { ordinal: 2, offset: 99 },
  },
  { removedTables: [3] },
]

interface Written {
  readonly directory: string
  readonly path: string
  readonly bytes: Buffer
  /** Where each frame begins; the last one is the end. */
  readonly frames: readonly number[]
}

/**
 * A manifest with EDITS; each is synced but for those whose index is in `together`, which share the
 * next sync.
 */
async function writeManifest(together: readonly number[] = []): Promise<Written> {
  const directory = temporaryDirectory()
  const writer = await ManifestWriter.create(nodeFileSystem, directory, IDENTITY, [EDITS[0]!], 11)
  const frames = [64, writer.length]
  for (let i = 1; i < EDITS.length; i++) {
    writer.append([EDITS[i]!])
    if (!together.includes(i)) await writer.sync()
    frames.push(writer.length)
  }
  writer.close()
  const path = join(directory, 'MANIFEST-000001')
  return { directory, path, bytes: readFileSync(path), frames }
}

function read(directory: string): ReadManifest {
  return readManifest(nodeFileSystem, directory, 1, DATABASE_ID)
}

/** Number of the last edit, or the error. */
function outcome(written: Written, bytes: Uint8Array): number | WiscError {
  writeFileSync(written.path, bytes)
  try {
    return read(written.directory).lastEditNumber
  } catch (error) {
    expect(error).toBeInstanceOf(WiscError)
    return error as WiscError
  }
}

test('a manifest reads as the version that its edits make', async () => {
  const { directory, bytes } = await writeManifest()
  const result = read(directory)
  let expected = EMPTY_VERSION
  EDITS.forEach((edit, i) => {
    expected = applyEdit(expected, edit, 11 + i)
  })
  expect(result.version).toEqual(expected)
  expect(result).toMatchObject({ lastEditNumber: 14, validBytes: bytes.length, tornBytes: 0 })
})

test('a cut or damaged last edit is a torn tail when nothing promises it', async () => {
  const written = await writeManifest()
  const { bytes, frames } = written
  for (let length = frames[3]!; length < bytes.length; length++) {
    expect(outcome(written, bytes.subarray(0, length))).toBe(13)
  }
  for (let at = frames[3]!; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= 0x10
    expect(outcome(written, flipped), `at=${at}`).toBe(13)
  }
  expect(read(written.directory)).toMatchObject({
    validBytes: frames[3],
    tornBytes: bytes.length - frames[3]!,
  })
})

test('damage before an edit that was synced after it is corruption, and says where', async () => {
  const written = await writeManifest()
  const { bytes, frames } = written
  for (let at = 0; at < frames[3]!; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= 0x01
    const error = outcome(written, flipped)
    expect(error, `at=${at}`).toBeInstanceOf(CorruptionError)
    const { file, offset } = error as CorruptionError
    expect(file).toBe('MANIFEST-000001')
    if (at >= 64) expect(offset).toBe(frames.findLast((frame) => frame <= at))
  }
})

test('damage among edits that were never synced is torn', async () => {
  const written = await writeManifest([1, 2, 3])
  const { bytes, frames } = written
  for (let at = frames[1]!; at < frames[2]!; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= 0x01
    expect(outcome(written, flipped), `at=${at}`).toBe(11)
  }
})

test('a manifest without a valid first edit is corrupt at every length', async () => {
  const written = await writeManifest()
  for (let length = 0; length < written.frames[1]!; length++) {
    expect(outcome(written, written.bytes.subarray(0, length))).toBeInstanceOf(CorruptionError)
  }
})

test('F-V19: an edit of a later version behind damage is refused before the damage is told', async () => {
  const written = await writeManifest()
  const last = written.frames.at(-2)!
  const edit = written.bytes.subarray(last + 68)
  // Its one field, removedTable, becomes the time floor.
  edit[0] = 16
  written.bytes.writeUInt32LE((crc32(edit) ^ written.bytes.readUInt32LE(last + 4)) >>> 0, last + 64)
  // The first version, and edits that were durable.
  for (const frame of written.frames.slice(0, 3)) {
    const damaged = Buffer.from(written.bytes)
    damaged[frame + 70]! ^= 1
    expect(outcome(written, damaged)).toMatchObject({
      code: 'WISC_FORMAT_VERSION',
      message: expect.stringContaining(
        `tag=16: use the version that wrote it file=MANIFEST-000001`,
      ),
    })
    // What does not prove itself says nothing of versions.
    damaged[last + 70]! ^= 1
    expect(outcome(written, damaged)).toMatchObject({ code: 'WISC_CORRUPTION' })
  }
})

test('a first version of several frames counts as a whole, and nothing else continues', async () => {
  const directory = temporaryDirectory()
  const pieces = [
    { ...EDITS[0]!, continues: true },
    { ...EDITS[1]!, continues: true },
    EDITS[2]!,
  ] as const
  const writer = await ManifestWriter.create(nodeFileSystem, directory, IDENTITY, pieces, 11)
  const whole = writer.length
  writer.append([EDITS[3]!])
  await writer.sync()
  writer.close()
  const { version, lastEditNumber } = read(directory)
  expect([lastEditNumber, version.id]).toEqual([12, 12])
  expect([...version.tables.keys()]).toEqual([4])
  const path = join(directory, 'MANIFEST-000001')
  const bytes = readFileSync(path)
  for (let length = 0; length < whole; length++) {
    writeFileSync(path, bytes.subarray(0, length))
    expect(() => read(directory), `length=${length}`).toThrow(CorruptionError)
  }
  writeFileSync(path, bytes.subarray(0, whole))
  expect(read(directory).lastEditNumber).toBe(11)

  const elsewhere = temporaryDirectory()
  const other = await ManifestWriter.create(nodeFileSystem, elsewhere, IDENTITY, [EDITS[0]!], 11)
  other.append([{ lastSequence: 1, continues: true }])
  await other.sync()
  other.close()
  expect(() => read(elsewhere)).toThrow(/edit 12 continues, and is not the first/)
})

test('edits written one after the other in one append have their own frames', async () => {
  const directory = temporaryDirectory()
  const writer = await ManifestWriter.create(nodeFileSystem, directory, IDENTITY, [EDITS[0]!], 1)
  writer.append(EDITS.slice(1))
  expect(writer.durableEdit).toBe(1)
  await writer.sync()
  expect(writer.durableEdit).toBe(4)
  writer.close()
  expect(read(directory).lastEditNumber).toBe(4)
})

test('a manifest of another database, or under another number, is refused', async () => {
  const { directory, bytes } = await writeManifest()
  const other = Uint8Array.from(DATABASE_ID, (byte) => byte ^ 1)
  expect(() => readManifest(nodeFileSystem, directory, 1, other)).toThrow('another database')
  writeFileSync(join(directory, 'MANIFEST-000002'), bytes)
  expect(() => readManifest(nodeFileSystem, directory, 2, DATABASE_ID)).toThrow('another number')
})

test('CURRENT names a manifest; a leftover temporary file is replaced', async () => {
  const directory = temporaryDirectory()
  expect(readCurrent(nodeFileSystem, directory)).toBeUndefined()
  writeFileSync(join(directory, 'CURRENT.tmp'), 'left by a crash')
  await writeCurrent(nodeFileSystem, directory, { manifestNumber: 12, databaseId: DATABASE_ID })
  expect(readCurrent(nodeFileSystem, directory)).toEqual({
    manifestNumber: 12,
    databaseId: DATABASE_ID,
  })
  await writeCurrent(nodeFileSystem, directory, {
    manifestNumber: 1234567,
    databaseId: DATABASE_ID,
  })
  expect(readCurrent(nodeFileSystem, directory)?.manifestNumber).toBe(1234567)
})

test('every flipped byte and every other length of CURRENT is refused', async () => {
  const directory = temporaryDirectory()
  const path = join(directory, 'CURRENT')
  await writeCurrent(nodeFileSystem, directory, { manifestNumber: 12, databaseId: DATABASE_ID })
  const bytes = readFileSync(path)
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [0x01, 0x20, 0xff]) {
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= mask
      writeFileSync(path, flipped)
      expect(() => readCurrent(nodeFileSystem, directory)).toThrow(CorruptionError)
    }
    writeFileSync(path, bytes.subarray(0, at))
    expect(() => readCurrent(nodeFileSystem, directory)).toThrow(CorruptionError)
  }
  for (const tail of ['\n', '\0', ' ']) {
    writeFileSync(path, Buffer.concat([bytes, Buffer.from(tail)]))
    expect(() => readCurrent(nodeFileSystem, directory)).toThrow(CorruptionError)
  }
})

test('a manifest has any length: what it holds is read edit by edit', async () => {
  const written = await writeManifest()
  // Keys have up to 64 KiB, two to a table: manifests grow with them. Holes behind the last edit are a torn tail.
  const length = 600 * 2 ** 20
  truncateSync(written.path, length)
  const result = read(written.directory)
  expect(result).toMatchObject({ lastEditNumber: 14, validBytes: written.bytes.length })
  expect(result.tornBytes).toBe(length - written.bytes.length)
})

test('edits longer than a window, and damage far before a frame that promises it', async () => {
  const directory = temporaryDirectory()
  const writer = await ManifestWriter.create(nodeFileSystem, directory, IDENTITY, [EDITS[0]!], 1)
  let next = 100
  const large = (): VersionEdit => ({
    nextFileNumber: next + 40,
    addedTables: Array.from({ length: 20 }, () => {
      const number = next++
      const key = String(number).padStart(60_000, '0')
      return { level: 0, runId: number, meta: meta(number, key, `${key}z`) }
    }),
  })
  const ends: number[] = []
  for (let i = 0; i < 3; i++) {
    writer.append([large()])
    await writer.sync()
    ends.push(writer.length)
  }
  writer.close()
  expect(ends[0]).toBeGreaterThan(2 ** 21)
  expect(read(directory)).toMatchObject({ lastEditNumber: 4, tornBytes: 0, validBytes: ends[2] })
  const path = join(directory, 'MANIFEST-000001')
  const bytes = readFileSync(path)
  bytes[1_000_000]! ^= 1
  writeFileSync(path, bytes)
  expect(() => read(directory)).toThrow(/edit 2 is damaged, and was durable before the frame at/)
  writeFileSync(path, bytes.subarray(0, ends[0]! - 5))
  expect(read(directory)).toMatchObject({
    lastEditNumber: 1,
    tornBytes: ends[0]! - 5 - secondFrame(bytes),
  })
})

/** Where the second frame begins. */
function secondFrame(bytes: Uint8Array): number {
  return 64 + Number(Buffer.from(bytes).readBigUInt64LE(64 + 16))
}
