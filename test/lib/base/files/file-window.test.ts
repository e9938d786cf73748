/** The window of sequential readers: it shows what the file holds, in few reads. */
import { expect, test } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { FileWindow } from '#dist/lib/base/files/file-window.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

test('a window shows what the file holds, anywhere', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const fileSystem = new MemoryFileSystem()
  const bytes = prng.bytes(20_000)
  fileSystem.replace('/file', bytes)
  const window = new FileWindow(fileSystem.open('/file', 'read'), 19_000, 1024)
  for (let i = 0; i < 500; i++) {
    const length = prng.below(prng.chance(0.1) ? 5000 : 300)
    const offset = prng.below(19_000 - length)
    const at = window.view(offset, length)
    const same = Buffer.compare(
      window.bytes.subarray(at, at + length),
      bytes.subarray(offset, offset + length),
    )
    expect(same, `${offset} ${length} ${replayHint(seed)}`).toBe(0)
  }
  const short = new FileWindow(fileSystem.open('/file', 'read'), 30_000)
  expect(() => short.view(19_990, 20)).toThrow(CorruptionError)
})

test('a window reads large pieces where reads follow each other, and little behind jumps', () => {
  const fileSystem = new MemoryFileSystem()
  const bytes = 16 * 1024 * 1024
  fileSystem.replace('/file', new Uint8Array(bytes))
  const walk = (stride: number): { reads: number; bytesRead: number } => {
    const file = fileSystem.open('/file', 'read')
    file.reads = 0
    const window = new FileWindow(file, bytes)
    for (let offset = 0; offset + 100 <= bytes; offset += stride) window.view(offset, 100)
    return { reads: file.reads, bytesRead: window.bytesRead }
  }
  const all = walk(100)
  expect(all.reads).toBeLessThan(30)
  expect(all.bytesRead).toBeLessThan(bytes * 1.001)
  expect(walk(20_000).reads).toBeLessThan(30)
  // The first read is no jump.
  expect(walk(131_072)).toEqual({ reads: 128, bytesRead: 129 * 4096 })
})
