/**
 * Steps side by side: which may begin, what they hold, and the room that they take and give back; and callers who ask
 * for something, one after the other.
 */
import { expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import { RunningSteps } from '#dist/lib/collector/act/running-steps.js'
import type { CollectionStep } from '#dist/lib/contract/collection-plan.js'

const planned = (number: number) =>
  ({ number, kind: 'segment', referencedBytes: 600, diskBytes: 1000 }) as const

const rewrite = (number: number, outputBytes = 600): CollectionStep => ({
  action: 'rewrite',
  reason: 'garbage',
  files: [planned(number)],
  bytesFreed: 400,
  bytesCopied: 600,
  outputBytes,
})
const punch = (number: number): CollectionStep => ({
  action: 'punch',
  file: planned(number),
  holes: 4,
  bytesFreed: 300,
  bytesCopied: 0,
})
const drop = (number: number): CollectionStep => ({
  action: 'drop',
  files: [planned(number)],
  bytesFreed: 1000,
  bytesCopied: 0,
})

function stepsOf(most: number) {
  const written = new Map<number, number>()
  const foldedInto = new Set<number>()
  const usage = { ofValueLogFile: (number: number) => written.get(number) ?? 0 }
  const steps = new RunningSteps(usage, most, { foldedInto })
  const ends: (() => void)[] = []
  const start = (step: CollectionStep, output?: number): Promise<void> =>
    steps.run(step, 'space', (running) => {
      running.output = output
      return new Promise((resolve) => ends.push(resolve))
    })
  return { steps, start, ends, written }
}

test('punches go beside anything that lasts, rewrites not beside each other, and nothing beside an edit', async () => {
  const { steps, start, ends } = stepsOf(2)
  expect([rewrite(1), punch(1), drop(1)].every((step) => steps.hasPlaceFor(step, false))).toBe(true)
  const first = start(rewrite(1), 50)
  expect(steps.hasPlaceFor(rewrite(2), false)).toBe(false)
  expect(steps.hasPlaceFor(rewrite(2), true)).toBe(true)
  expect(steps.hasPlaceFor(punch(2), false)).toBe(true)
  const second = start(punch(2))
  expect(steps.hasPlaceFor(punch(3), false)).toBe(false)
  expect([...steps.busyFiles]).toEqual([1, 2])
  ends[0]!()
  await first
  expect(steps.count).toBe(1)
  expect(steps.hasPlaceFor(rewrite(3), false)).toBe(true)
  ends[1]!()
  await second
  void start(drop(4))
  expect(steps.hasPlaceFor(punch(5), false)).toBe(false)
})

test('with one place there is one step', () => {
  for (const most of [0, 1]) {
    const { steps, start } = stepsOf(most)
    expect(steps.hasPlaceFor(punch(1), false)).toBe(true)
    void start(punch(1))
    expect(steps.hasPlaceFor(punch(2), false)).toBe(false)
  }
})

test('what all give back and will still write is counted once', async () => {
  const { steps, start, ends, written } = stepsOf(2)
  expect(steps.diskBytesAfter(5000)).toBe(5000)
  const first = start(rewrite(1), 0x50)
  void start(punch(2))
  expect(steps.diskBytesAfter(5000)).toBe(5000 - 400 - 300)
  written.set(0x50, 200)
  // 200 bytes of the output are on disk already.
  expect(steps.diskBytesAfter(5200)).toBe(5000 - 400 - 300)
  expect(steps.unwrittenBytes).toBe(600 - 200)
  ends[0]!()
  await first
  expect(steps.diskBytesAfter(4600)).toBe(4600 - 300)
  expect(steps.unwrittenBytes).toBe(0)
})

test('a disk that cannot be asked fails nobody: nothing is taken as written', () => {
  const usage = {
    ofValueLogFile: () => {
      throw new IoError('stat', '/db/000050.vlog', 'EACCES')
    },
  }
  const steps = new RunningSteps(usage, 2, { foldedInto: new Set() })
  void steps.run(rewrite(1), 'space', (running) => {
    running.output = 50
    return new Promise(() => undefined)
  })
  expect(steps.diskBytesAfter(5000)).toBe(4600)
})

test('callers are served one at a time, in the order in which they asked, and whatever one ends with', async () => {
  const { steps } = stepsOf(2)
  const told: string[] = []
  let end!: () => void
  const one = steps.exclusively(async () => {
    told.push('one begins')
    await new Promise<void>((resolve) => {
      end = resolve
    })
    told.push('one ends')
    throw new Error('of one')
  })
  const two = steps.exclusively(() => {
    told.push('two')
    return Promise.resolve(2)
  })
  await Promise.resolve()
  expect(told).toEqual(['one begins'])
  expect(steps.isBusy).toBe(true)
  end()
  await expect(one).rejects.toThrow('of one')
  expect(await two).toBe(2)
  expect(told).toEqual(['one begins', 'one ends', 'two'])
  expect(steps.isBusy).toBe(false)
  await steps.allEnded()
})

test('a caller is served when the last step of the collector has ended, and none begins meanwhile', async () => {
  const { steps, start, ends } = stepsOf(3)
  const running = [start(rewrite(1)), start(punch(2))]
  let begun = false
  const asked = steps.exclusively(() => {
    begun = true
    return Promise.resolve()
  })
  expect(steps.hasPlaceFor(punch(3), false)).toBe(false)
  ends[0]!()
  await running[0]
  await Promise.resolve()
  expect(begun).toBe(false)
  ends[1]!()
  await asked
  expect(begun).toBe(true)
  expect(steps.hasPlaceFor(punch(3), false)).toBe(true)
})

test('work that throws at once gives its turn back', async () => {
  const { steps } = stepsOf(2)
  const broken = steps.exclusively(() => {
    throw new Error('stopped')
  })
  await expect(broken).rejects.toThrow('stopped')
  expect(steps.isBusy).toBe(false)
  expect(await steps.exclusively(() => Promise.resolve(1))).toBe(1)
})

test('looks do not go by a step that a caller asks for, but its file is busy and its output to come', async () => {
  const { steps } = stepsOf(2)
  let end!: () => void
  const asked = steps.exclusively(() =>
    steps.run(rewrite(1), 'asked', () => new Promise<void>((resolve) => (end = resolve))),
  )
  await Promise.resolve()
  expect([steps.count, steps.isBusy, steps.unwrittenBytes]).toEqual([0, true, 600])
  expect([...steps.busyFiles]).toEqual([1])
  expect(steps.hasPlaceFor(punch(2), false)).toBe(false)
  end()
  await asked
  expect([steps.count, steps.isBusy, steps.unwrittenBytes]).toEqual([0, false, 0])
})
