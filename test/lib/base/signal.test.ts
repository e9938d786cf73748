/** The wait that everything in the engine uses: told again and again, given up, timed out, failed. */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import { Signal } from '#dist/lib/base/signal.js'
import { codeOf } from '../../support/store/fault-store.ts'

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('all who wait are told, in their order; who comes later waits for the next time', async () => {
  const signal = new Signal()
  const told: string[] = []
  const wait = (name: string): void => void signal.next().then(() => told.push(name))
  // Nobody waits yet: this is remembered by nobody.
  signal.tell()
  expect(signal.isAwaited).toBe(false)
  wait('a')
  wait('b')
  expect(signal.isAwaited).toBe(true)
  await turn()
  expect(told).toEqual([])
  signal.tell()
  expect(signal.isAwaited).toBe(false)
  wait('c')
  await turn()
  expect(told).toEqual(['a', 'b'])
  signal.tell()
  await turn()
  expect(told).toEqual(['a', 'b', 'c'])
})

test('an AbortSignal ends one wait, and nothing of it stays', async () => {
  const signal = new Signal()
  const controller = new AbortController()
  const given = signal.next({ signal: controller.signal })
  let others = 0
  void signal.next().then(() => others++)
  controller.abort()
  expect(await codeOf(() => given)).toBe('WISC_ABORTED')
  expect(await codeOf(() => signal.next({ signal: controller.signal }))).toBe('WISC_ABORTED')
  expect(signal.isAwaited).toBe(true)
  signal.tell()
  await turn()
  expect(others).toBe(1)
  // Told first: firing does nothing more.
  const late = new AbortController()
  const toldFirst = signal.next({ signal: late.signal })
  signal.tell()
  late.abort()
  await toldFirst
})

test('a wait with a time is over when that has passed, or when it is told', async () => {
  const signal = new Signal()
  await signal.next({ ms: 1 })
  expect(signal.isAwaited).toBe(false)
  const day = signal.next({ ms: 86_400_000, signal: new AbortController().signal })
  signal.tell()
  await day
})

test('a failure ends all waits, present and future, with the first error', async () => {
  const signal = new Signal()
  const waits = [signal.next(), signal.next({ ms: 86_400_000 })]
  signal.fail(new WiscError('WISC_SYNC_FAILED', 'first'))
  signal.fail(new WiscError('WISC_NOT_OPEN', 'second'))
  for (const wait of [...waits, signal.next()]) {
    await expect(wait).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED', message: 'first' })
  }
  signal.tell()
  expect(signal.isAwaited).toBe(false)
})
