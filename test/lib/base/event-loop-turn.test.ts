/** Turns of the event loop: when one is old, and what is run in the next one. */
import { describe, expect, test, vi } from 'vitest'
import { EventLoopTurn } from '#dist/lib/base/event-loop-turn.js'

describe('a turn of the event loop', () => {
  test('is old after a millisecond, until the loop has turned', async () => {
    let now = 5000
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    const turn = new EventLoopTurn()
    expect(turn.isOld()).toBe(false)
    now += 2
    expect(turn.isOld()).toBe(true)
    const order: string[] = []
    await new Promise<void>((resolve) => {
      turn.later(() => order.push('first'))
      turn.later(() => {
        order.push('second')
        resolve()
      })
      setImmediate(() => order.push('behind'))
      order.push('now')
    })
    clock.mockRestore()
    expect(order).toEqual(['now', 'first', 'second'])
    expect(turn.isOld()).toBe(false)
  })
})
