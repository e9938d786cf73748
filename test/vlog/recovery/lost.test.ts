/** lost/: what is set aside is whole, bounded and durable, and a second recovery destroys none of it. */
import { expect, test } from 'vitest'
import { largestLostNumber, setAside } from '#dist/vlog/recovery/lost.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  bytesOf,
  LOG_DIRECTORY,
  logContext,
  segmentPath,
} from '../../support/parts/log-segments.ts'

const NAME = '000003.vlog'
const LOST = `${LOG_DIRECTORY}/lost`

function system(length: number): FaultFileSystem {
  const files = new Map([[segmentPath(3), bytesOf(length)]])
  return new FaultFileSystem({}, { directories: ['/', LOG_DIRECTORY], files })
}

function lostFile(fileSystem: FaultFileSystem, name: string): Uint8Array | undefined {
  return fileSystem.visibleImage().files.get(`${LOST}/${name}`)
}

test('copies ranges under the names of their files and places, durably', () => {
  const fileSystem = system(600_000)
  const ranges = [
    { name: NAME, from: 100, to: 600_000 },
    { name: NAME, from: 0, to: 10 },
  ]
  expect(setAside(logContext(fileSystem), ranges)).toEqual({
    copiedBytes: 599_910,
    uncopiedBytes: 0,
  })
  expect(Buffer.compare(lostFile(fileSystem, `${NAME}@100`)!, bytesOf(600_000).subarray(100))).toBe(
    0,
  )
  expect(Buffer.compare(lostFile(fileSystem, `${NAME}@0`)!, bytesOf(10))).toBe(0)
  const ends = fileSystem.log.filter(
    ({ kind }) => kind === 'syncEnd' || kind === 'syncDirectoryEnd',
  )
  // The name lost/, both files, and the names in lost/ last.
  expect(ends.map(({ kind }) => kind)).toEqual([
    'syncDirectoryEnd',
    'syncEnd',
    'syncEnd',
    'syncDirectoryEnd',
  ])
  expect(fileSystem.log.at(-1)?.kind).toBe('syncDirectoryEnd')
  expect(fileSystem.openFiles).toBe(0)
})

test('nothing to set aside makes no directory', () => {
  const fileSystem = system(10)
  setAside(logContext(fileSystem), [])
  expect(fileSystem.log).toEqual([])
})

test('what a recovery that did not end has left is not trusted: it is made anew, or stays beside', () => {
  const source = bytesOf(600_000)
  const range = { name: NAME, from: 100, to: 600_000 }
  const whole = source.subarray(100)
  const zeros = new Uint8Array(whole.length)
  const first = `${NAME}@100`
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['nothing was written of it', whole.subarray(0, 0), first],
    ['it was cut off', whole.subarray(0, 300_000), first],
    ['all of it is there, in the page cache perhaps', whole, first],
    ['its length is there, its bytes are not', zeros, `${first}.2`],
    ['a byte is wrong', whole.with(500_000, whole[500_000]! ^ 1), `${first}.2`],
    ['it is longer', Uint8Array.of(...source.subarray(100, 400), 1), `${first}.2`],
  ]
  for (const [what, left, expected] of cases) {
    const files = new Map([
      [segmentPath(3), source],
      [`${LOST}/${first}`, left],
    ])
    const directories = ['/', LOG_DIRECTORY, LOST]
    const fileSystem = new FaultFileSystem({}, { directories, files })
    const given = what === 'it is longer' ? { ...range, to: 400 } : range
    setAside(logContext(fileSystem), [given])
    const wanted = source.subarray(given.from, given.to)
    expect(Buffer.compare(lostFile(fileSystem, expected)!, wanted), what).toBe(0)
    if (expected !== first) expect(lostFile(fileSystem, first), what).toEqual(left)
    // I4: written by this recovery, synced, and the names of both directories after it.
    const kinds = fileSystem.log.map(({ kind }) => kind)
    expect(kinds.indexOf('syncDirectoryEnd'), what).toBeLessThan(kinds.indexOf('writeEnd'))
    expect(kinds.indexOf('writeEnd'), what).toBeLessThan(kinds.indexOf('syncEnd'))
    expect(kinds.at(-1), what).toBe('syncDirectoryEnd')
    expect(fileSystem.violations, what).toEqual([])
  }
})

test('a recovery that is done again keeps the first copy, and one that was cut off', () => {
  const fileSystem = system(50)
  const range = { name: NAME, from: 20, to: 50 }
  for (let i = 0; i < 3; i++) setAside(logContext(fileSystem), [range])
  expect(fileSystem.list(LOST)).toEqual([`${NAME}@20`])
  expect(lostFile(fileSystem, `${NAME}@20`)).toHaveLength(30)
  setAside(logContext(fileSystem), [{ ...range, to: 40 }])
  expect(lostFile(fileSystem, `${NAME}@20.2`)).toHaveLength(20)
})

test('is bounded in number; what does not fit is counted', () => {
  const fileSystem = system(1000)
  const ranges = Array.from({ length: 70 }, (_, i) => ({ name: NAME, from: i, to: i + 2 }))
  expect(setAside(logContext(fileSystem), ranges)).toEqual({ copiedBytes: 128, uncopiedBytes: 12 })
  expect(fileSystem.list(LOST)).toHaveLength(64)
  expect(setAside(logContext(fileSystem), [{ name: NAME, from: 100, to: 600 }])).toEqual({
    copiedBytes: 0,
    uncopiedBytes: 500,
  })
})

test('is bounded in size', () => {
  const bound = 64 * 1024 * 1024
  const files = new Map([[segmentPath(3), new Uint8Array(bound + 12)]])
  const fileSystem = new FaultFileSystem({}, { directories: ['/', LOG_DIRECTORY], files })
  const report = setAside(logContext(fileSystem), [{ name: NAME, from: 2, to: bound + 12 }])
  expect(report).toEqual({ copiedBytes: bound, uncopiedBytes: 10 })
})

test('the numbers of its names are found, so that none is given again', () => {
  const fileSystem = system(10)
  expect(largestLostNumber(logContext(fileSystem), 1)).toBe(0)
  setAside(logContext(fileSystem), [{ name: NAME, from: 0, to: 10 }])
  expect(largestLostNumber(logContext(fileSystem), 1)).toBe(3)
  for (const name of [
    'MANIFEST-000040@64',
    '000041.sst@0.2',
    'notes',
    '99.vlog@1',
    '000050.vlog',
  ]) {
    fileSystem.open(`${LOST}/${name}`, 'create').close()
  }
  expect(largestLostNumber(logContext(fileSystem), 1)).toBe(41)
})
