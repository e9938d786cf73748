/** Markers of the log: frames without records that say, when nothing else does, what is durable. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLog, turns } from '../../support/parts/log-fixture.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Longer than the log waits before it writes one. */
async function later(): Promise<void> {
  await vi.advanceTimersByTimeAsync(80)
  await turns()
}

test('one is written when the log has been idle after a sync, and only one', async () => {
  const fixture = await openLog()
  await fixture.write(10)
  await fixture.log.sync()
  const { durable, end } = fixture.log
  expect(durable).toEqual(end)
  for (let i = 0; i < 3; i++) await later()
  expect(fixture.log.end.offset).toBe(end.offset + 64)
  expect(fixture.steps.filter((step) => step.startsWith('sync'))).toHaveLength(1)
})

test('none is written when a later frame has recorded the sync', async () => {
  const fixture = await openLog()
  await fixture.write(10)
  await fixture.log.sync()
  await fixture.write(10)
  const { end } = fixture.log
  await later()
  expect(fixture.log.end).toEqual(end)
})

test('one that fails ends the segment, nothing else', async () => {
  const fixture = await openLog()
  await fixture.write(10)
  await fixture.log.sync()
  fixture.failNext('write', 5, 'EIO', 3)
  const { faults } = fixture.fileSystem
  let failed = false
  fixture.fileSystem.faults = (call) => {
    const fault = faults?.(call)
    failed ||= fault !== undefined
    return fault
  }
  await later()
  expect(failed).toBe(true)
  expect((await fixture.write(10)).segment).toBe(6)
  expect(fixture.failures).toEqual([])
})
