/**
 * Holes in the file systems that tests use: what a process sees, the rules of order, and what a power cut may leave.
 */
import { describe, expect, test } from 'vitest'
import { type CrashState, crashStates, crashStatesNow } from '../crash/crash-states.ts'
import { replayHint, testSeed } from '../random.ts'
import { allocatedBytes, BLOCK_BYTES, Content } from './content.ts'
import type { FaultFileSystemOptions } from './fault-calls.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import { MemoryFileSystem } from './memory-file-system.ts'

const seed = testSeed()
const BLOCKS = 6
const SIZE = BLOCKS * BLOCK_BYTES + 10

/** A disk with one durable file of six blocks and ten bytes. */
function disk(options: FaultFileSystemOptions = {}): FaultFileSystem {
  const fileSystem = new FaultFileSystem({ seed, ...options })
  const file = fileSystem.open('/file', 'create')
  file.write(Buffer.alloc(SIZE, 7), 0, SIZE, 0)
  file.sync()
  file.close()
  fileSystem.syncDirectory('/')
  return fileSystem
}

/** The blocks of the file that are zeros, as a word of 0 and 1 that must agree with its holes. */
function zeroBlocks(state: CrashState): string {
  const image = state.image()
  const bytes = image.files.get('/file')!
  expect(bytes.length).toBe(SIZE)
  expect(bytes.subarray(BLOCKS * BLOCK_BYTES).every((byte) => byte === 7)).toBe(true)
  let word = ''
  for (let block = 0; block < BLOCKS; block++) {
    const part = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    expect(part.every((byte) => byte === part[0])).toBe(true)
    word += part[0] === 0 ? '0' : '7'
  }
  const holes = [...word].flatMap((digit, block) => (digit === '0' ? [block] : []))
  expect(image.holes?.get('/file') ?? []).toEqual(holes)
  return word
}

function words(states: Iterable<CrashState>): string[] {
  return [...new Set([...states].map(zeroBlocks))].sort()
}

describe('what a process sees', () => {
  test('zeros at once, the size stays, the blocks are free until they are written again', () => {
    const fileSystem = disk({ capacityBytes: 100_000 })
    const free = fileSystem.freeBytes('/')
    const file = fileSystem.open('/file', 'punch')
    expect(file.stat()).toEqual({ size: SIZE, allocated: 7 * 4096, links: 1, blockBytes: 4096 })
    expect(file.punch(BLOCK_BYTES, 2 * BLOCK_BYTES)).toBe(true)
    expect(file.punch(2 * BLOCK_BYTES, BLOCK_BYTES)).toBe(true)
    expect(file.stat()).toMatchObject({ size: SIZE, allocated: 5 * 4096 })
    expect(fileSystem.statPath('/file')).toMatchObject({ kind: 'file', allocated: 5 * 4096 })
    expect(fileSystem.freeBytes('/') - free).toBe(2 * BLOCK_BYTES)
    const bytes = Buffer.alloc(SIZE)
    file.read(bytes, 0, SIZE, 0)
    expect(bytes.equals(Buffer.alloc(SIZE, 7).fill(0, 4096, 3 * 4096))).toBe(true)
    file.close()
    expect(fileSystem.visibleImage().holes).toEqual(new Map([['/file', [1, 2]]]))
    expect(fileSystem.violations).toEqual([])
    // The next process, and one on the image that a power cut left, see the same.
    expect(fileSystem.kill().statPath('/file')?.allocated).toBe(5 * 4096)
    const later = new FaultFileSystem({}, fileSystem.visibleImage())
    expect(later.statPath('/file')?.allocated).toBe(5 * 4096)
  })

  test('a file system without holes says so and does nothing', () => {
    const fileSystem = disk({ withoutHoles: true })
    const steps = fileSystem.log.length
    const file = fileSystem.open('/file', 'punch')
    expect(file.punch(0, BLOCK_BYTES)).toBe(false)
    expect(file.stat().allocated).toBe(7 * 4096)
    file.close()
    expect(fileSystem.log.length).toBe(steps)
  })

  test('a punch is refused by the test, has happened in part, or comes after the end of the process', () => {
    const fileSystem = disk()
    const file = fileSystem.open('/file', 'punch')
    fileSystem.faults = (call) =>
      call.kind === 'punch' ? { errno: 'EIO', partialBytes: call.bytes - 1 } : undefined
    expect(() => file.punch(0, 3 * BLOCK_BYTES)).toThrow('EIO')
    expect(file.stat().allocated).toBe(5 * 4096)
    fileSystem.faults = (call) => (call.kind === 'punch' ? { errno: 'EIO' } : undefined)
    expect(() => file.punch(0, 3 * BLOCK_BYTES)).toThrow('EIO')
    expect(file.stat().allocated).toBe(5 * 4096)
    fileSystem.faults = undefined
    const next = fileSystem.kill()
    expect(() => file.punch(0, 3 * BLOCK_BYTES)).toThrow('EIO')
    expect(next.statPath('/file')?.allocated).toBe(5 * 4096)
  })

  test('only a file that was opened for it is punched, and it is not written', () => {
    const fileSystem = disk()
    expect(() => fileSystem.open('/nothing', 'punch')).toThrow('ENOENT')
    const reader = fileSystem.open('/file', 'read')
    expect(() => reader.punch(0, BLOCK_BYTES)).toThrow('EBADF')
    const file = fileSystem.open('/file', 'punch')
    expect(() => file.write(Buffer.alloc(1), 0, 1, SIZE)).toThrow('EBADF')
    file.close()
    expect(() => file.punch(0, BLOCK_BYTES)).toThrow('EBADF')
  })

  test('the plain file system in memory has holes, too', () => {
    const fileSystem = new MemoryFileSystem()
    fileSystem.replace('/file', Buffer.alloc(SIZE, 7))
    const file = fileSystem.open('/file', 'punch')
    expect(file.punch(BLOCK_BYTES, 2 * BLOCK_BYTES)).toBe(true)
    expect(file.stat()).toEqual({ size: SIZE, allocated: 5 * 4096, links: 1, blockBytes: 4096 })
    expect(fileSystem.contents('/file')).toEqual(
      new Uint8Array(SIZE).fill(7).fill(0, 4096, 3 * 4096),
    )
    file.write(Buffer.alloc(2, 1), 0, 2, 2 * BLOCK_BYTES - 1)
    expect(file.stat().allocated).toBe(7 * 4096)
    file.hasHoles = false
    expect(file.punch(0, BLOCK_BYTES)).toBe(false)
  })
})

test('what is written again is allocated again, and views given out never change', () => {
  const content = new Content(new Uint8Array(3 * BLOCK_BYTES).fill(7))
  const before = content.view()
  content.punch(0, 3 * BLOCK_BYTES)
  const punched = content.view()
  content.write(Uint8Array.of(1, 2), BLOCK_BYTES - 1)
  expect(content.holes.blocks).toEqual([2])
  expect(allocatedBytes(content.size, content.holes)).toBe(2 * BLOCK_BYTES)
  expect([before, punched, content.view()].map((view) => view[BLOCK_BYTES])).toEqual([7, 0, 2])
})

describe('rules of order', () => {
  test('I1: nothing is punched after a failed sync', () => {
    const fileSystem = disk()
    const other = fileSystem.open('/other', 'create')
    fileSystem.faults = (call) => (call.kind === 'sync' ? { errno: 'EIO' } : undefined)
    expect(() => other.sync()).toThrow('EIO')
    fileSystem.open('/file', 'punch').punch(0, BLOCK_BYTES)
    expect(fileSystem.violations.join()).toContain('punch after a failed sync path=/file')
  })

  test('I5: nothing is punched while a rename may be lost', () => {
    const fileSystem = disk()
    fileSystem.open('/CURRENT.tmp', 'create').close()
    fileSystem.rename('/CURRENT.tmp', '/CURRENT')
    const file = fileSystem.open('/file', 'punch')
    file.punch(0, BLOCK_BYTES)
    expect(fileSystem.violations).toHaveLength(1)
    expect(fileSystem.violations[0]).toContain('punch before a rename is durable')
    fileSystem.syncDirectory('/')
    file.punch(0, BLOCK_BYTES)
    expect(fileSystem.violations).toHaveLength(1)
  })

  test('I12: bytes that are not durable are not punched', () => {
    const fileSystem = disk()
    const grown = fileSystem.open('/grown', 'create')
    grown.write(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, 0)
    grown.dataSync()
    grown.write(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, BLOCK_BYTES)
    const file = fileSystem.open('/grown', 'punch')
    file.punch(0, BLOCK_BYTES)
    expect(fileSystem.violations).toEqual([])
    file.punch(0, 2 * BLOCK_BYTES)
    expect(fileSystem.violations.join()).toContain('punch of bytes that are not durable')
  })

  test('parts of blocks, bytes past the end, files with several names', () => {
    const fileSystem = disk()
    const file = fileSystem.open('/file', 'punch')
    const seen = (): string => fileSystem.violations.splice(0).join()
    file.punch(1, BLOCK_BYTES)
    expect(seen()).toContain('punch of parts of blocks')
    file.punch(BLOCKS * BLOCK_BYTES, BLOCK_BYTES)
    expect(seen()).toContain('punch past the end')
    fileSystem.linkElsewhere('/file')
    expect(file.stat().links).toBe(2)
    file.punch(0, BLOCK_BYTES)
    expect(seen()).toContain('punch of a file with several names')
  })
})

describe('what a power cut leaves', () => {
  test('a hole that is not synced may be there or not, each block of it on its own', () => {
    const fileSystem = disk()
    const file = fileSystem.open('/file', 'punch')
    file.punch(BLOCK_BYTES, 3 * BLOCK_BYTES)
    const options = { seed, tornOfNew: 1000 }
    const found = words(crashStatesNow(fileSystem.model, options))
    expect(found, replayHint(seed)).toEqual(
      expect.arrayContaining(['777777', '700077', '707777', '770777', '777077', '770077']),
    )
    for (const word of found) expect(word).toMatch(/^7[07]{3}77$/)
    // In the middle of the workload's steps as well as now.
    const played = crashStates(fileSystem.base, fileSystem.log, options)
    const end = [...played].filter(({ step }) => step === fileSystem.log.length)
    expect(words(end)).toEqual(found)
  })

  test('two holes may be reordered, and older ones come in part as well', () => {
    const fileSystem = disk()
    const file = fileSystem.open('/file', 'punch')
    file.punch(0, 2 * BLOCK_BYTES)
    file.punch(4 * BLOCK_BYTES, 2 * BLOCK_BYTES)
    const found = words(crashStatesNow(fileSystem.model, { seed, tornOfNew: 99, tornOfOld: 99 }))
    expect(found).toEqual(expect.arrayContaining(['777700', '007777', '007770', '077700']))
  })

  test('the next sync that begins after it makes a hole certain', async () => {
    const fileSystem = disk()
    const file = fileSystem.open('/file', 'punch')
    const early = file.dataSyncAsync()
    file.punch(0, BLOCK_BYTES)
    await early
    expect(words(crashStatesNow(fileSystem.model, { seed }))).toEqual(['077777', '777777'])
    file.sync()
    expect(words(crashStatesNow(fileSystem.model, { seed }))).toEqual(['077777'])
  })

  test('a file before and behind a durable hole are two states, though its size is the same', () => {
    const fileSystem = new FaultFileSystem({ seed }, disk().visibleImage())
    const file = fileSystem.open('/file', 'punch')
    file.punch(0, BLOCK_BYTES)
    file.sync()
    const hashes = new Map<string, string>()
    for (const state of crashStates(fileSystem.base, fileSystem.log, { seed })) {
      const word = zeroBlocks(state)
      expect(hashes.get(state.hash) ?? word).toBe(word)
      hashes.set(state.hash, word)
    }
    expect([...hashes.values()].sort()).toEqual(['077777', '777777'])
  })

  test('I1: after a failed sync no later one makes a hole certain', () => {
    const fileSystem = disk()
    const file = fileSystem.open('/file', 'punch')
    file.punch(0, BLOCK_BYTES)
    fileSystem.faults = (call) => (call.kind === 'sync' ? { errno: 'EIO' } : undefined)
    expect(() => file.sync()).toThrow('EIO')
    fileSystem.faults = undefined
    file.sync()
    expect(words(crashStatesNow(fileSystem.model, { seed }))).toEqual(['077777', '777777'])
  })

  test('negative control: a disk that lies about the sync of a punched file is caught', () => {
    const fileSystem = new FaultFileSystem({ seed, ignoreSync: () => true }, disk().visibleImage())
    const file = fileSystem.open('/file', 'punch')
    file.punch(0, BLOCK_BYTES)
    file.sync()
    expect(words(crashStatesNow(fileSystem.model, { seed }))).toEqual(['077777', '777777'])
  })
})
