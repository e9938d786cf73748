/** I9: bytes on disk are those of the file system, also of files that are being written, punched, or set aside. */
import { expect, test } from 'vitest'
import { segmentName, tableName } from '#dist/lib/base/files/file-names.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import type { FileNumber } from '#dist/lib/base/ids.js'
import { DiskUsage } from '#dist/lib/space/disk-usage.js'
import type { FoundFiles } from '#dist/lib/state/found-files.js'
import { EMPTY_VERSION, isOpen, type Version } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { logFile } from '../../support/parts/log-files.ts'
import { meta } from '../../support/parts/table-metas.ts'
import { allocatedBytes } from '../../support/store/recount.ts'

const VERSION = applyEdit(
  EMPTY_VERSION,
  {
    nextFileNumber: 100,
    addedTables: [{ level: 0, runId: 10, meta: meta(10, 'a', 'b') }],
    addedFiles: [logFile(1), logFile(2)],
    sealedFiles: [{ number: 1, length: 40_000, lastSequence: 1 }],
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

/** As an open finds it. */
function found(fileSystem: FaultFileSystem, version = VERSION): FoundFiles {
  const held = [
    ...[...version.tables.keys()].map((number) => [number, tableName(number)] as const),
    ...[...version.files.keys()].map((number) => [number, segmentName(number)] as const),
  ]
  const hasEnded = (number: number): boolean => {
    const file = version.files.get(number)
    return file === undefined || !isOpen(file)
  }
  const sizes: [FileNumber, number][] = held
    .filter(([number]) => hasEnded(number))
    .map(([number, name]) => [number as number, fileSystem.statPath(`/db/${name}`)!.allocated])
  const others = fileSystem.list('/db').filter((name) => !held.some(([, each]) => each === name))
  return { version, allocated: new Map(sizes), others, nextNumber: version.nextFileNumber }
}

function writersUsage(fileSystem: FaultFileSystem): { usage: DiskUsage; numbers: FileNumbers } {
  const numbers = new FileNumbers()
  numbers.skip(VERSION.nextFileNumber - 1)
  const context = { fileSystem, directory: '/db' }
  return { usage: new DiskUsage(context, found(fileSystem), numbers), numbers }
}

/** What is asked of the file system meanwhile. */
function asked(fileSystem: FaultFileSystem, work: () => void): string[] {
  const calls: string[] = []
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'stat' || kind === 'list') calls.push(`${kind} ${path.replace('/db/', '')}`)
  }
  work()
  fileSystem.onCall = () => undefined
  return calls.sort()
}

test('who writes asks for what may have changed alone, and lists nothing', () => {
  const { fileSystem, write } = directory()
  write(tableName(10), 5000)
  write(segmentName(1), 40_000)
  write(segmentName(2), 100)
  write('foreign', 9000)
  write('CURRENT', 100)
  const { usage, numbers } = writersUsage(fileSystem)
  const exact = (version: Version): void =>
    expect(usage.measure(version)).toBe(allocatedBytes(fileSystem, '/db'))
  exact(VERSION)
  // Jobs write them; no version knows them yet.
  const [table, relocation] = [numbers.take(), numbers.take()]
  exact(VERSION)
  write(tableName(table), 100)
  write(segmentName(relocation), 70_000)
  exact(VERSION)
  const calls = asked(fileSystem, () => usage.measure(VERSION))
  const names = ['BALLAST', 'CURRENT', segmentName(2), 'foreign', tableName(table)]
  expect(calls).toEqual([...names, segmentName(relocation)].map((name) => `stat ${name}`).sort())
  expect(usage.ofValueLogFile(1)).toBe(40_960)
  expect(usage.ofValueLogFile(77)).toBe(0)
  const next = applyEdit(
    VERSION,
    {
      nextFileNumber: numbers.next,
      addedTables: [{ level: 0, runId: table, meta: meta(table, 'a', 'b') }],
      removedTables: [10],
      sealedFiles: [{ number: 2, length: 100, lastSequence: 7 }],
      addedFiles: [
        {
          role: 'relocation',
          number: relocation,
          salt: 1,
          length: 70_000,
          parts: [{ segment: 1, records: 1, bytes: 9 }],
        },
      ],
    },
    2,
  )
  // What has left the version is there until it is gone.
  exact(next)
  fileSystem.unlink(`/db/${tableName(10)}`)
  usage.gone(10)
  exact(next)
  fileSystem.unlink('/db/foreign')
  exact(next)
  expect(asked(fileSystem, () => usage.measure(next))).toEqual(['stat BALLAST', 'stat CURRENT'])
  // Unlinked before it was seen that the version has it no more.
  const last = applyEdit(next, { removedSegments: [2] }, 3)
  fileSystem.unlink(`/db/${segmentName(2)}`)
  usage.gone(2)
  exact(last)
  // As is the file of the segment that was relocated.
  fileSystem.unlink(`/db/${segmentName(1)}`)
  usage.gone(1)
  exact(last)
})

test('ids of runs and numbers of jobs that failed are not looked for for ever', () => {
  const { fileSystem, write } = directory()
  write(tableName(10), 5000)
  write(segmentName(1), 40_000)
  write(segmentName(2), 100)
  const { usage, numbers } = writersUsage(fileSystem)
  const [runId, table] = [numbers.take(), numbers.take()]
  write(tableName(table), 100)
  const addedTables = [{ level: 1, runId, meta: meta(table, 'a', 'b') }]
  const next = applyEdit(VERSION, { nextFileNumber: numbers.next, addedTables }, 2)
  usage.measure(next)
  expect(asked(fileSystem, () => usage.measure(next))).toHaveLength(2)
  for (let i = 0; i < 1000; i++) numbers.take()
  usage.measure(next)
  expect(asked(fileSystem, () => usage.measure(next)).length).toBeLessThan(1000)
  write(tableName(numbers.next - 1), 5000)
  expect(usage.measure(next)).toBe(allocatedBytes(fileSystem, '/db'))
})

test('who only reads lists, for nobody tells what comes and goes', () => {
  const { fileSystem, write } = directory()
  write(tableName(10), 5000)
  write(segmentName(1), 40_000)
  write(segmentName(2), 100)
  const context = { fileSystem, directory: '/db' }
  const usage = new DiskUsage(context, found(fileSystem), undefined)
  write(tableName(11), 100)
  expect(usage.measure(VERSION)).toBe(allocatedBytes(fileSystem, '/db'))
  fileSystem.unlink(`/db/${tableName(10)}`)
  fileSystem.unlink(`/db/${tableName(11)}`)
  write(segmentName(12), 100)
  expect(usage.measure(VERSION)).toBe(allocatedBytes(fileSystem, '/db'))
  expect(asked(fileSystem, () => usage.measure(VERSION))).toEqual(
    ['list /db', `stat ${segmentName(2)}`, `stat ${segmentName(12)}`].sort(),
  )
})

test('a punched file is asked for again; what lies in lost/ counts', () => {
  const { fileSystem, write } = directory()
  write(tableName(10), 4096)
  write(segmentName(1), 40_000)
  write(segmentName(2), 0)
  fileSystem.makeDirectory('/db/lost')
  write('lost/000001.vlog@7', 10_000)
  const { usage } = writersUsage(fileSystem)
  expect(usage.measure(VERSION)).toBe(4096 + 40_960 + 12_288)
  const file = fileSystem.open(`/db/${segmentName(1)}`, 'punch')
  fileSystem.syncDirectory('/db')
  expect(file.punch(8192, 16_384)).toBe(true)
  file.close()
  expect(usage.ofValueLogFile(1)).toBe(40_960)
  usage.askAgain(1)
  expect(usage.ofValueLogFile(1)).toBe(40_960 - 16_384)
  expect(usage.measure(VERSION)).toBe(allocatedBytes(fileSystem, '/db'))
})

test('what an open sets aside in lost/ counts from that open on: it had read the names before', () => {
  const { fileSystem, write } = directory()
  write(tableName(10), 4096)
  write(segmentName(1), 40_000)
  write(segmentName(2), 100)
  const context = { fileSystem, directory: '/db' }
  const files = found(fileSystem)
  fileSystem.makeDirectory('/db/lost')
  write('lost/000002.vlog@100', 10_000)
  const usage = new DiskUsage(context, files, new FileNumbers())
  expect(usage.measure(VERSION)).toBe(allocatedBytes(fileSystem, '/db'))
})

test('who only reads asks for files again that a writer may have punched, of many some at a time', () => {
  const { fileSystem, write } = directory()
  const numbers = [1, 2, 3, 4, 5]
  const sealed = numbers.map((number) => ({ number, length: 40_000, lastSequence: number }))
  const edit = {
    nextFileNumber: 100,
    addedFiles: numbers.map((number) => logFile(number)),
    sealedFiles: sealed,
  }
  const version = applyEdit(EMPTY_VERSION, edit, 1)
  for (const number of numbers) write(segmentName(number), 40_000)
  const usage = new DiskUsage(
    { fileSystem, directory: '/db' },
    found(fileSystem, version),
    undefined,
  )
  fileSystem.syncDirectory('/db')
  for (const number of numbers) {
    const file = fileSystem.open(`/db/${segmentName(number)}`, 'punch')
    expect(file.punch(8192, 16_384)).toBe(true)
    file.close()
  }
  const rounds = Array.from({ length: 4 }, () => usage.askInTurn(version, 2))
  expect(rounds).toEqual([[1, 2], [3, 4], [5], []])
  expect(usage.measure(version)).toBe(allocatedBytes(fileSystem, '/db'))
  // The fourth call has asked for the second and the third.
  const names = [4, 5].map((number) => `stat ${segmentName(number)}`)
  expect(asked(fileSystem, () => usage.askInTurn(version, 2))).toEqual(names)
  expect(asked(fileSystem, () => usage.askInTurn(version, 9)).length).toBe(5)
})
