/** I9: bytes on disk are those of the file system, also of files that are being written, punched, or set aside. */
import { expect, test } from 'vitest'
import { segmentName, tableName } from '#dist/lib/base/files/file-names.js'
import { DiskUsage } from '#dist/lib/space/disk-usage.js'
import { EMPTY_VERSION } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { meta } from '../../support/parts/table-metas.ts'
import { allocatedBytes } from '../../support/store/recount.ts'

const VERSION = applyEdit(
  EMPTY_VERSION,
  {
    nextFileNumber: 100,
    addedTables: [{ level: 0, runId: 10, meta: meta(10, 'a', 'b') }],
    addedSegments: [
      { number: 1, salt: 1 },
      { number: 2, salt: 2 },
    ],
    sealedSegments: [{ number: 1, length: 40_000, lastSequence: 1 }],
  },
  1,
)

function directory(): {
  fileSystem: FaultFileSystem
  write: (name: string, bytes: number) => void
} {
  const fileSystem = new FaultFileSystem()
  fileSystem.makeDirectory('/db')
  const write = (name: string, bytes: number): void => {
    const file = fileSystem.open(`/db/${name}`, 'create')
    file.write(new Uint8Array(bytes).fill(1), 0, bytes, 0)
    file.sync()
    file.close()
  }
  return { fileSystem, write }
}

test('files of the version that have ended are asked for once, all others each time', () => {
  const { fileSystem, write } = directory()
  write(tableName(10), 5000)
  write(segmentName(1), 40_000)
  write(segmentName(2), 100)
  // A job writes them; no version knows them yet.
  write(tableName(11), 100)
  write(segmentName(12), 100)
  const usage = new DiskUsage(fileSystem, '/db')
  expect(usage.measure(VERSION)).toBe(allocatedBytes(fileSystem, '/db'))
  const asked: string[] = []
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'stat') asked.push(path)
  }
  usage.measure(VERSION)
  expect(asked.sort()).toEqual(
    [segmentName(2), segmentName(12), tableName(11)].map((name) => `/db/${name}`).sort(),
  )
  expect(usage.allocated(segmentName(1))).toBe(40_960)
  expect(usage.allocated(segmentName(77))).toBe(0)
})

test('a punched file is asked for again; what lies in lost/ counts', () => {
  const { fileSystem, write } = directory()
  write(segmentName(1), 40_000)
  fileSystem.makeDirectory('/db/lost')
  write('lost/000001.vlog@7', 10_000)
  const usage = new DiskUsage(fileSystem, '/db')
  expect(usage.measure(VERSION)).toBe(40_960 + 12_288)
  const file = fileSystem.open(`/db/${segmentName(1)}`, 'punch')
  fileSystem.syncDirectory('/db')
  expect(file.punch(8192, 16_384)).toBe(true)
  file.close()
  expect(usage.allocated(segmentName(1))).toBe(40_960)
  usage.forget(segmentName(1))
  expect(usage.allocated(segmentName(1))).toBe(40_960 - 16_384)
  expect(usage.measure(VERSION)).toBe(allocatedBytes(fileSystem, '/db'))
})
