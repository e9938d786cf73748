/** What is kept between two works goes when no more come. */
import { afterEach, expect, test, vi } from 'vitest'
import { KeptParts } from '#dist/lib/base/kept.js'

afterEach(() => {
  vi.useRealTimers()
})

test('parts stay until the next work of their kind, and five seconds behind the last of any', () => {
  vi.useFakeTimers()
  const kept = new KeptParts()
  kept.keep('copy', { large: 1 })
  vi.advanceTimersByTime(4000)
  kept.keep('walk', {})
  kept.keep('walk', {})
  vi.advanceTimersByTime(4999)
  expect(kept.works).toEqual(['copy', 'walk'])
  vi.advanceTimersByTime(1)
  expect(kept.works).toEqual([])
  kept.keep('copy', {})
  expect(kept.works).toEqual(['copy'])
})
