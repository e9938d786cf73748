/**
 * The crash model is held against a toy log: the right protocol survives every state, and each protocol
 * with one step left out is caught (negative controls: a test that cannot fail proves nothing).
 */
import { expect, test } from 'vitest'
import { checksum } from '#dist/lib/base/checksum.js'
import { IoError } from '#dist/lib/base/errors.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { Prng, replayHint, testSeed } from '../random.ts'
import { crashStates } from './crash-states.ts'

const seed = testSeed()

interface Toy {
  readonly syncData: boolean
  readonly syncName: boolean
  readonly checksums: boolean
  /** A record is held against the place where it lies, so that a stale copy of another one is none. */
  readonly placed: boolean
}

const RIGHT: Toy = { syncData: true, syncName: true, checksums: true, placed: true }
const RECORD_BYTES = 700

/** Record n: checksum, number, bytes that follow from it. */
function record(number: number, toy: Toy): Uint8Array {
  const bytes = Buffer.alloc(RECORD_BYTES, number)
  bytes.writeUInt32LE(number, 4)
  bytes.writeUInt32LE(toy.checksums ? checksum(bytes.subarray(4)) : 7, 0)
  return bytes
}

/** Writes ten records in two files, marks what is acknowledged. */
function runToy(fileSystem: FaultFileSystem, toy: Toy): void {
  fileSystem.makeDirectory('/toy')
  if (toy.syncName) fileSystem.syncDirectory('/')
  for (const name of ['/toy/a', '/toy/b']) {
    const file = fileSystem.open(name, 'create')
    if (toy.syncName) fileSystem.syncDirectory('/toy')
    const first = name === '/toy/a' ? 1 : 6
    for (let i = 0; i < 5; i++) {
      file.write(record(first + i, toy), 0, RECORD_BYTES, i * RECORD_BYTES)
      if (toy.syncData) file.dataSync()
      fileSystem.mark(first + i)
    }
    file.close()
  }
}

/** @returns how many records are there; throws for a record that was never written */
function recoverToy(fileSystem: FileSystem, toy: Toy): number {
  let count = 0
  for (const name of ['/toy/a', '/toy/b']) {
    if (count % 5 > 0 || !fileSystem.statPath('/toy') || !fileSystem.statPath(name)) break
    const file = fileSystem.open(name, 'read')
    const bytes = Buffer.alloc(file.stat().size)
    file.read(bytes, 0, bytes.length, 0)
    file.close()
    for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
      const found = bytes.subarray(at, at + RECORD_BYTES)
      const expected = toy.checksums ? checksum(found.subarray(4)) : 7
      if (found.readUInt32LE(0) !== expected) break
      if (toy.placed && found.readUInt32LE(4) !== count + 1) break
      if (!found.equals(record(count + 1, toy))) throw new Error(`record ${count + 1} is damaged`)
      count++
    }
  }
  return count
}

function violationsOf(toy: Toy): { states: number; violations: string[] } {
  const fileSystem = new FaultFileSystem()
  runToy(fileSystem, toy)
  const seen = new Set<string>()
  const violations: string[] = []
  for (const state of crashStates(fileSystem.base, fileSystem.log, { seed })) {
    seen.add(state.hash)
    const acknowledged = (state.mark ?? 0) as number
    try {
      const count = recoverToy(new FaultFileSystem({}, state.image()), toy)
      if (count < acknowledged) violations.push(`${count} of ${acknowledged}, ${state.choice}`)
    } catch (error) {
      violations.push(`${(error as Error).message}, ${state.choice}`)
    }
  }
  return { states: seen.size, violations }
}

test('I1: a log that syncs bytes and names before it acknowledges survives every crash state', () => {
  const { states, violations } = violationsOf(RIGHT)
  expect(violations, replayHint(seed)).toEqual([])
  expect(states).toBeGreaterThan(100)
})

test.each([
  ['no sync of the data', { ...RIGHT, syncData: false }],
  ['no sync of the directory', { ...RIGHT, syncName: false }],
  ['no checksums', { ...RIGHT, checksums: false }],
  ['records that do not prove their place', { ...RIGHT, placed: false }],
])('negative control, %s: is caught', (_, toy) => {
  expect(violationsOf(toy).violations.length, replayHint(seed)).toBeGreaterThan(0)
})

/** CURRENT is switched by rename; the file that it named before is unlinked after. `renamed` is called in between. */
function switchCurrent(
  fileSystem: FaultFileSystem,
  syncBeforeUnlink: boolean,
  renamed: () => void = () => undefined,
): void {
  const writeFile = (path: string, text: string): void => {
    const file = fileSystem.open(path, 'create')
    file.write(Buffer.from(text), 0, text.length, 0)
    file.sync()
    file.close()
  }
  writeFile('/one', 'content')
  writeFile('/CURRENT', '/one')
  fileSystem.syncDirectory('/')
  fileSystem.mark('created')
  writeFile('/two', 'content')
  fileSystem.syncDirectory('/')
  writeFile('/CURRENT.tmp', '/two')
  fileSystem.rename('/CURRENT.tmp', '/CURRENT')
  renamed()
  if (syncBeforeUnlink) fileSystem.syncDirectory('/')
  fileSystem.unlink('/one')
  fileSystem.syncDirectory('/')
}

function brokenSwitches(fileSystem: FaultFileSystem): number {
  let broken = 0
  for (const state of crashStates(fileSystem.base, fileSystem.log, { seed })) {
    if (state.mark === undefined) continue
    const { files } = state.image()
    const target = Buffer.from(files.get('/CURRENT') ?? '').toString()
    if (Buffer.from(files.get(target) ?? '').toString() !== 'content') broken++
  }
  return broken
}

test('I5: unlinking before the rename is durable is caught, by the states and by the rules of order', () => {
  const right = new FaultFileSystem()
  switchCurrent(right, true)
  expect(brokenSwitches(right)).toBe(0)
  expect(right.violations).toEqual([])
  const wrong = new FaultFileSystem()
  switchCurrent(wrong, false)
  expect(brokenSwitches(wrong)).toBeGreaterThan(0)
  expect(wrong.violations.join()).toContain('unlink before a rename is durable')
})

test('I5: BALLAST may go before a rename is durable, for neither CURRENT needs it', () => {
  const fileSystem = new FaultFileSystem()
  fileSystem.open('/BALLAST', 'create').close()
  switchCurrent(fileSystem, true, () => fileSystem.unlink('/BALLAST'))
  expect(brokenSwitches(fileSystem)).toBe(0)
  expect(fileSystem.violations).toEqual([])
})

test('a sync covers what was complete when it began, nothing more', async () => {
  const fileSystem = new FaultFileSystem()
  const file = fileSystem.open('/file', 'create')
  fileSystem.syncDirectory('/')
  file.write(Buffer.from('before'), 0, 6, 0)
  const sync = file.dataSyncAsync()
  const write = file.writevAsync([Buffer.from(' during')], 6)
  expect(file.stat().size).toBe(6)
  await Promise.all([sync, write])
  expect(file.stat().size).toBe(13)
  const states = [...crashStates(fileSystem.base, fileSystem.log, { seed })]
  const last = states.filter((state) => state.step === fileSystem.log.length)
  const texts = last.map((state) => Buffer.from(state.image().files.get('/file')!).toString())
  expect(texts).toContain('before')
  expect(texts).toContain('before during')
  expect(texts.every((text) => text.startsWith('before'))).toBe(true)
})

test('I1: after a failed sync no later sync makes the same bytes durable', () => {
  const fileSystem = new FaultFileSystem()
  const file = fileSystem.open('/file', 'create')
  fileSystem.syncDirectory('/')
  file.write(Buffer.from('lost'), 0, 4, 0)
  fileSystem.faults = (call) => (call.kind === 'sync' ? { errno: 'EIO' } : undefined)
  expect(() => file.dataSync()).toThrow(IoError)
  fileSystem.faults = undefined
  file.dataSync()
  expect(fileSystem.violations.join()).toContain('sync after a failed sync')
  const sizes = [...crashStates(fileSystem.base, fileSystem.log, { seed })]
    .filter((state) => state.step === fileSystem.log.length)
    .map((state) => state.image().files.get('/file')!.length)
  expect(sizes).toContain(0)
})

test('a write that fails in part leaves that part, and a full disk takes what fits', () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: 100 })
  const file = fileSystem.open('/file', 'create')
  fileSystem.faults = () => ({ errno: 'EIO', partialBytes: 3 })
  expect(() => file.write(new Uint8Array(10), 0, 10, 0)).toThrow('EIO')
  fileSystem.faults = undefined
  expect(file.stat().size).toBe(3)
  expect(() => file.write(new Uint8Array(200), 0, 200, 3)).toThrow('ENOSPC')
  expect(file.stat().size).toBe(100)
  expect(fileSystem.freeBytes('/')).toBe(0)
})

test('a killed process changes nothing more; the next one sees the page cache and may still lose it', () => {
  const fileSystem = new FaultFileSystem()
  const file = fileSystem.open('/file', 'create')
  fileSystem.syncDirectory('/')
  file.write(Buffer.from('cached'), 0, 6, 0)
  const next = fileSystem.kill()
  expect(() => file.write(Buffer.from('more'), 0, 4, 6)).toThrow(IoError)
  const opened = next.open('/file', 'read')
  expect(opened.stat().size).toBe(6)
  opened.close()
  const states = [...crashStates(next.base, next.log, { seed })]
  const sizes = states.map((state) => state.image().files.get('/file')?.length)
  expect(sizes).toContain(0)
  expect(sizes).toContain(6)
})

test('rules of order: closed files, gaps, open files that are unlinked', () => {
  const fileSystem = new FaultFileSystem()
  const file = fileSystem.open('/file', 'create')
  file.write(new Uint8Array(4), 0, 4, 0)
  file.write(new Uint8Array(4), 0, 4, 2)
  fileSystem.unlink('/file')
  file.close()
  file.close()
  expect(() => file.stat()).toThrow('EBADF')
  expect(fileSystem.openFiles).toBe(0)
  const text = fileSystem.violations.join('\n')
  expect(text).toContain('write not at the end')
  expect(text).toContain('unlink of an open file')
  expect(text).toContain('of a closed file')
})

test('the generator of random numbers is replayed by its seed', () => {
  const draw = (from: number): number[] => {
    const prng = new Prng(from)
    return Array.from({ length: 8 }, () => prng.below(1000))
  }
  expect(draw(seed)).toEqual(draw(seed))
  expect(draw(1)).not.toEqual(draw(2))
})
