/** The thread that helps with reads: the same bytes, whatever becomes of it. */
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { File } from '#dist/lib/base/files/file-system.js'
import { ForwardingFile } from '#dist/lib/base/files/forwarding-file-system.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { ThreadReadHelper } from '#dist/lib/base/platform/read-helper.js'
import { eventually } from '../../../support/eventually.ts'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { runModule } from '../../../support/processes/child-process.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const FILE_BYTES = 1_000_000
const MORTAL = new URL('../../../../dist/test/support/parts/mortal-helper.js', import.meta.url)
const GATED = new URL('../../../../dist/test/support/parts/gated-helper.js', import.meta.url)
const CORES = 2

const made: ThreadReadHelper[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(made.splice(0).map((helper) => helper.close()))
})

interface Fixture {
  readonly helper: ThreadReadHelper
  readonly file: File
  readonly bytes: Uint8Array
}

function fixture(entry?: URL, idleLookMs?: number, cores: number = CORES): Fixture {
  const helper = new ThreadReadHelper(entry, idleLookMs, cores)
  made.push(helper)
  const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
  const bytes = new Prng(7).bytes(FILE_BYTES)
  file.write(bytes, 0, bytes.length, 0)
  return { helper, file, bytes }
}

/** Batches that had help cost nothing here, so that nearly all have it. */
function beginHelped(helper: ThreadReadHelper): boolean {
  if (helper.begin()) return true
  helper.end(0)
  return false
}

/** Reads a batch. @returns how many of its reads the thread has made, or -1 if nobody helped */
function readBatch({ helper, file, bytes }: Fixture, prng: Prng): number {
  if (!beginHelped(helper)) return -1
  const ranges = Array.from({ length: 1 + prng.below(300) }, () => ({
    length: prng.below(9000),
    position: prng.chance(0.05) ? FILE_BYTES - prng.below(99) : prng.below(FILE_BYTES - 9000),
  }))
  const places = ranges.map(({ length, position }) => helper.offer(file, length, position))
  helper.share()
  // Both of them race for it, or the thread is ahead.
  if (prng.chance(0.5)) letBegin()
  let helped = 0
  for (const [i, { length, position }] of ranges.entries()) {
    const target = new Uint8Array(length + 7)
    // Somebody who stops in the middle gives up the rest.
    if (prng.chance(0.001)) break
    if (places[i]! >= 0 && helper.wasRead(places[i]!)) {
      helped++
      helper.take(places[i]!, target, 5)
      expect(
        Buffer.compare(target.subarray(5, -2), bytes.subarray(position, position + length)),
      ).toBe(0)
      expect([target[4], target.at(-2)]).toEqual([0, 0])
    } else file.read(target, 5, length, position)
  }
  helper.end(0)
  return helped
}

/** Stands still for a moment, in which the thread wakes up and reads, also where there is one core. */
function letBegin(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
}

/** How many batches it takes until the thread has begun is the machine's affair. */
async function untilReady(parts: Fixture): Promise<void> {
  while (!parts.helper.isReady) {
    parts.helper.begin()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('gives the bytes of the file, of any batch', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const parts = fixture()
  await untilReady(parts)
  let helped = 0
  for (let batch = 0; batch < 200 || helped < 1000; batch++) {
    helped += Math.max(0, readBatch(parts, prng))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(helped, replayHint(seed)).toBeGreaterThan(0)
  parts.file.close()
})

test('the end of the file is for the caller to find', async () => {
  const { helper, file } = fixture()
  await untilReady({ helper, file, bytes: new Uint8Array() })
  for (let batch = 0; batch < 100; batch++) {
    if (!beginHelped(helper)) continue
    const place = helper.offer(file, 100, FILE_BYTES - 50)
    helper.share()
    expect(helper.wasRead(place)).toBe(false)
    helper.end(0)
  }
  file.close()
})

test('a file stays open until its last read has ended; of others nothing is taken', async () => {
  const parts = fixture()
  const { helper, file } = parts
  await untilReady(parts)
  const close = vi.spyOn(fs, 'closeSync')
  await eventually(() => expect(helper.begin()).toBe(true))
  expect(helper.begin()).toBe(false)
  expect(helper.offer(new ForwardingFile(file), 10, 0)).toBe(-1)
  for (let i = 0; i < 20; i++) helper.offer(file, 4096, i)
  helper.share()
  file.close()
  expect(close).not.toHaveBeenCalled()
  helper.end(0)
  // A read that has begun meanwhile keeps it open until somebody looks again.
  await eventually(() => {
    if (helper.begin()) helper.end(0)
    expect(close).toHaveBeenCalledTimes(1)
  })
})

test('a thread that dies in the middle of a read keeps no file open, and another one comes', async () => {
  const parts = fixture(MORTAL)
  const { helper, file } = parts
  await untilReady(parts)
  const close = vi.spyOn(fs, 'closeSync')
  await eventually(() => {
    if (!beginHelped(helper)) return expect(helper.isReady).toBe(false)
    for (let i = 0; i < 20; i++) helper.offer(file, 4096, i)
    helper.share()
    letBegin()
    helper.end(0)
    return expect(helper.isReady).toBe(false)
  })
  file.close()
  expect(close).toHaveBeenCalledTimes(1)
  await untilReady(parts)
})

describe('a read that is late', () => {
  const BLOCK = 4096

  interface Late extends Fixture {
    /** Lets the thread go on, with these bytes. */
    readonly release: (bytes: Uint8Array) => void
  }

  /** A thread has begun to read a block of zeros, and its caller has gone on without it. */
  async function late(): Promise<Late> {
    const parts = fixture(GATED)
    const { helper, file } = parts
    await untilReady(parts)
    file.write(new Uint8Array(BLOCK), 0, BLOCK, 0)
    const gate = nodeFileSystem.open(file.path, 'punch')
    // Batches that nobody times have help each; with a read that is late there is none.
    while (helper.begin()) {
      helper.offer(file, BLOCK, 0)
      helper.share()
      letBegin()
      helper.end(0)
    }
    const release = (bytes: Uint8Array): void => {
      gate.write(bytes, 0, bytes.length, 0)
      gate.close()
    }
    return { ...parts, release }
  }

  test('I5: keeps its descriptor from every other file, though its own is closed and unlinked', async () => {
    const { helper, file, release } = await late()
    const close = vi.spyOn(fs, 'closeSync')
    file.close()
    fs.unlinkSync(file.path)
    for (let i = 0; i < 40; i++) expect(helper.begin()).toBe(false)
    expect(close).not.toHaveBeenCalled()
    release(new Uint8Array(BLOCK).fill(1))
    // One of them is that of `release`.
    await eventually(() => {
      if (helper.begin()) helper.end(0)
      expect(close).toHaveBeenCalledTimes(2)
    })
  })

  test('is given to nobody: what it read may be a hole by then', async () => {
    const { helper, file, release } = await late()
    release(new Uint8Array(BLOCK).fill(1))
    const taken = new Uint8Array(BLOCK)
    await eventually(() => {
      expect(helper.begin()).toBe(true)
      // The place and the memory of the late one.
      const place = helper.offer(file, BLOCK, BLOCK)
      helper.share()
      letBegin()
      const isRead = helper.wasRead(place)
      if (isRead) helper.take(place, taken, 0)
      helper.end(0)
      expect([place, isRead]).toEqual([0, true])
    })
    const asked = new Uint8Array(BLOCK)
    file.read(asked, 0, BLOCK, BLOCK)
    expect(Buffer.compare(taken, asked)).toBe(0)
    file.close()
  })

  test('ends with its thread; that its file cannot be closed then is no concern of anybody', async () => {
    const { helper, file, release } = await late()
    file.close()
    const close = vi.spyOn(fs, 'closeSync').mockImplementationOnce(() => {
      throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO', errno: -5 })
    })
    // In the handler of an event: an error would end the process.
    await helper.close()
    await eventually(() => expect(close).toHaveBeenCalledTimes(1))
    vi.restoreAllMocks()
    release(new Uint8Array(1))
  })
})

test('without code for a thread, or with one core alone, there is no help', async () => {
  const parts = fixture(new URL('file:///nowhere/helper-thread.js'))
  await eventually(() => {
    for (let i = 0; i < 1000; i++) expect(parts.helper.begin()).toBe(false)
    expect(parts.helper.isUseless).toBe(true)
  })
  parts.file.close()
  const { helper, file } = fixture(undefined, undefined, 1)
  for (let i = 0; i < 1000; i++) expect(helper.begin()).toBe(false)
  expect(helper.isUseless).toBe(true)
  file.close()
})

test('a thread without work ends', async () => {
  const parts = fixture(undefined, 10)
  await untilReady(parts)
  await eventually(() => expect(parts.helper.isReady).toBe(false))
  parts.file.close()
})

const CHILD = `
  const { ThreadReadHelper } = await import(DIST + 'lib/base/platform/read-helper.js')
  const { nodeFileSystem } = await import(DIST + 'lib/base/platform/node-file-system.js')
  const helper = new ThreadReadHelper(undefined, undefined, 2)
  const file = nodeFileSystem.open(process.argv[1] + '/file', 'create')
  file.write(new Uint8Array(8192), 0, 8192, 0)
  while (!helper.isReady) {
    helper.begin()
    await new Promise((resolve) => setImmediate(resolve))
  }
  while (!helper.begin()) await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 200; i++) helper.offer(file, 4096, i)
  helper.share()
`

test('a thread keeps no process alive, and holds up none that ends', async () => {
  const print = `process.on('exit', () => console.log(helper.isReady))`
  const ended = await runModule(`${CHILD} helper.end(0); ${print}`, temporaryDirectory())
  expect(ended).toBe('true\n')
  const exited = await runModule(`${CHILD} ${print}; process.exit(0)`, temporaryDirectory())
  expect(exited).toBe('true\n')
})
