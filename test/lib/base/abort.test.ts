/** Listening to signals: one listener each, none when nobody listens any more. */
import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { linkSignals, onAbort } from '#dist/lib/base/abort.js'

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}

test('however many listen, the signal has one listener; it goes with the last', () => {
  const controller = new AbortController()
  const { signal } = controller
  let calls = 0
  const count = (): number => calls++
  const stops = Array.from({ length: 30 }, () => onAbort(signal, count))
  expect(listeners(signal)).toBe(1)
  for (const stop of stops.slice(1)) stop()
  stops[1]!()
  expect(listeners(signal)).toBe(1)
  stops[0]!()
  expect(listeners(signal)).toBe(0)
  onAbort(signal, count)
  onAbort(signal, count)
  expect(listeners(signal)).toBe(1)
  controller.abort()
  expect(calls).toBe(2)
  expect(listeners(signal)).toBe(0)
})

test('one that stops another one while the signal fires', () => {
  const controller = new AbortController()
  const calls: string[] = []
  const stops = new Map<string, () => void>()
  for (const name of ['a', 'b']) {
    stops.set(
      name,
      onAbort(controller.signal, () => {
        calls.push(name)
        for (const stop of stops.values()) stop()
      }),
    )
  }
  controller.abort()
  expect(calls[0]).toBe('a')
  expect(listeners(controller.signal)).toBe(0)
})

test.each([0, 1])(
  'a linked signal fires with number %i of its two, and for its reason',
  (which) => {
    const controllers = [new AbortController(), new AbortController()] as const
    const [first, second] = controllers
    const linked = linkSignals(first.signal, second.signal)
    const unlinked = linkSignals(first.signal, second.signal)
    unlinked.unlink()
    const reason = new Error('enough')
    controllers[which]!.abort(reason)
    expect(linked.signal.reason).toBe(reason)
    expect(unlinked.signal.aborted).toBe(false)
    linked.unlink()
    for (const { signal } of controllers) expect(listeners(signal)).toBe(0)
    // One that has fired before.
    const late = linkSignals(first.signal, second.signal)
    expect(late.signal.reason).toBe(reason)
    late.unlink()
    for (const { signal } of controllers) expect(listeners(signal)).toBe(0)
    expect(linkSignals(first.signal, undefined).signal).toBe(first.signal)
  },
)
