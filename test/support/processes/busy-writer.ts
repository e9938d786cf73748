/**
 * A writer in a process of its own that lets nothing rest: it puts, uploads, deletes keys and ranges, flushes,
 * compacts, collects, closes and opens again, with other options each time.
 *
 * Each write has a number that is higher than those before, and its value says key and number from the first byte to
 * the last. A line of input ends that: it says `ended` and its last sequence. It closes the store when its input ends.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { nextLine, startModule } from './child-process.ts'

export const KEYS = 200
/** Keys from here on are deleted now and then. */
export const KEPT_KEYS = 180

const WRITER = `
const { Readable } = await import('node:stream')
const { open } = await import(DIST + 'lib/index.js')
const [, directory, seed, first] = process.argv
let state = Number(seed) >>> 0
let write = Number(first)
const below = (limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * limit)
}
const pick = (list) => list[below(list.length)]
const options = () => ({
  segmentBytes: 1048576,
  memtableBytes: pick([65536, 262144, 1048576]),
  valueThreshold: pick([300, 5000, 30000]),
  streamThreshold: 50000,
  workers: below(3),
  waitForLock: 60000,
  tree: { tableBytes: 65536, blockBytes: 1024 },
  collector: { targetSpaceAmplification: pick([1.1, 1.3, 2]) },
})
const keyOf = (i) => 'key ' + String(i).padStart(4, '0')
const valueOf = (i) => Buffer.alloc(pick([20, 400, 4000, 20000, 70000]), i + ':' + write++ + ';')
let store = await open(directory, options())
for (let i = 0; i < ${KEYS}; i++) await store.put(keyOf(i), valueOf(i))
console.log('ready')
let ended = false
process.stdin.once('data', () => { ended = true })
const told = new Promise((resolve) => process.stdin.once('end', resolve))
while (!ended) {
  const writes = []
  for (let n = 0; n < 40; n++) {
    const i = below(${KEYS})
    const isDelete = i >= ${KEPT_KEYS} && below(3) === 0
    if (isDelete && below(4) === 0)
      writes.push(store.deleteRange({ gte: keyOf(i), lt: keyOf(i + 5) }))
    else if (isDelete) writes.push(store.delete(keyOf(i)))
    else if (below(20) === 0) writes.push(store.putStream(keyOf(i), Readable.from([valueOf(i)])))
    else writes.push(store.put(keyOf(i), valueOf(i)))
  }
  await Promise.all(writes)
  const what = below(24)
  if (what < 6) await store.flush()
  else if (what < 9) await store.compact()
  else if (what < 12) await store.collect({ targetSpaceAmplification: 1 })
  else if (what === 12) await store.collect({ targetSpaceAmplification: 1, maxCopyBytes: 0 })
  else if (what === 13) {
    await store.close()
    store = await open(directory, options())
  }
}
// Everything is read once more by whoever asks, before the store is closed and after.
console.log('ended ' + store.stats().lastSequence)
await told
await store.close()
`

export function keyOf(i: number): string {
  return `key ${String(i).padStart(4, '0')}`
}

/** The number of the write that a value is of; undefined if it is not whole, or of another key. */
export function writeOf(i: number, value: Buffer): number | undefined {
  const sign = /^(\d+):(\d+);/.exec(value.subarray(0, 30).toString('latin1'))
  const isWhole = sign?.[1] === String(i) && Buffer.alloc(value.length, sign[0]).equals(value)
  return isWhole ? Number(sign[2]) : undefined
}

/** Resolves when all keys are there. @param first number of its first write */
export async function startBusyWriter(
  directory: string,
  seed: number,
  first: number = 0,
): Promise<ChildProcess> {
  const writer = startModule(WRITER, directory, String(seed), String(first))
  onTestFinished(() => {
    writer.kill('SIGKILL')
  })
  const said = await nextLine(writer)
  if (said !== 'ready') throw new Error(`the writer said: ${said}`)
  return writer
}

/** Nothing is written any more. @returns the last sequence */
export async function endWrites(writer: ChildProcess): Promise<number> {
  const said = nextLine(writer)
  writer.stdin!.write('end\n')
  return Number((await said).split(' ')[1])
}

/** Has it close the store. @throws if it did not end well */
export async function closeWriter(writer: ChildProcess): Promise<void> {
  const exit = once(writer, 'exit')
  writer.stdin!.end()
  const [code] = await exit
  if (code !== 0) throw new Error(`the writer failed, code=${code}`)
}
