/** Steps side by side: which may begin, what they hold, and the room that they take and give back. */
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
    steps.start(step, ({ began }) => {
      if (output !== undefined) began(output)
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
  void start(punch(2))
  expect(steps.hasPlaceFor(punch(3), false)).toBe(false)
  expect([...steps.busyFiles]).toEqual([1, 2])
  ends[0]!()
  await first
  expect(steps.count).toBe(1)
  expect(steps.hasPlaceFor(rewrite(3), false)).toBe(true)
  ends[1]!()
  await steps.anyEnded()
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
  ends[0]!()
  await first
  expect(steps.diskBytesAfter(4600)).toBe(4600 - 300)
})

test('a disk that cannot be asked fails nobody: nothing is taken as written', () => {
  const usage = {
    ofValueLogFile: () => {
      throw new IoError('stat', '/db/000050.vlog', 'EACCES')
    },
  }
  const steps = new RunningSteps(usage, 2, { foldedInto: new Set() })
  void steps.start(rewrite(1), ({ began }) => {
    began(50)
    return new Promise(() => undefined)
  })
  expect(steps.diskBytesAfter(5000)).toBe(4600)
})
