/**
 * The log with edits that the test answers: rotation, the order of syncs and seals, failed syncs, large frames, close.
 */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { GROUP_BYTES_MAX, Group, stagedBytes } from '#dist/vlog/log/group.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import { plainRecord, RECORD_KIND } from '#dist/vlog/record.js'
import { plainTable } from '#dist/vlog/value-chunks.js'
import { LogFixture, openLog, START, turns } from '../../support/parts/log-fixture.ts'
import { bytesOf, segmentPath } from '../../support/parts/log-segments.ts'

describe('rotation', () => {
  test('goes to the segment that was prepared ahead, and seals what is full', async () => {
    const fixture = await openLog()
    const first = await fixture.write(1500)
    expect(first).toEqual({ segment: 5, offset: SEGMENT_HEADER_BYTES })
    expect((await fixture.write(1500)).segment).toBe(5)
    const length = fixture.log.end.offset
    expect(await fixture.write(1500)).toEqual({ segment: 6, offset: SEGMENT_HEADER_BYTES })
    await turns()
    expect(fixture.steps.filter((step) => !step.startsWith('add'))).toEqual([
      'sync 5',
      `seal 5 ${length} 102 durable 5`,
      'released 5',
    ])
    expect(fixture.fileSystem.violations).toEqual([])
  })

  test('I1: writes no frame into a segment whose edit is not durable', async () => {
    const fixture = new LogFixture()
    fixture.hold = true
    const opening = fixture.open()
    await turns()
    expect(fixture.steps).toEqual(['add 5'])
    fixture.held.shift()!()
    await opening
    await fixture.write(3000)
    await turns()
    expect(fixture.log.place(3000)).toBeUndefined()
    const writing = fixture.write(3000)
    await turns()
    expect(fixture.size(6)).toBe(0)
    fixture.hold = false
    for (const answer of fixture.held.splice(0)) answer()
    expect((await writing).segment).toBe(6)
  })

  test('waits when too many full segments have no seal', async () => {
    const fixture = await openLog()
    await turns()
    for (let i = 0; i < 4; i++) {
      fixture.hold = false
      await fixture.write(3000)
      await turns()
      fixture.hold = true
    }
    // The first seals have been asked for while edits are held.
    fixture.held.length = 0
    let written = 0
    fixture.hold = true
    const writer = (async () => {
      for (; written < 8; written++) await fixture.write(3000)
    })()
    await turns(50)
    const before = written
    expect(before).toBeLessThan(8)
    fixture.hold = false
    while (fixture.held.length > 0) {
      fixture.held.shift()!()
      await turns()
    }
    await writer
    expect(written).toBe(8)
  })

  test('seals in log order', async () => {
    const fixture = await openLog()
    for (let i = 0; i < 6; i++) await fixture.write(3000)
    await turns(50)
    const seals = fixture.steps
      .filter((step) => step.startsWith('seal'))
      .map((step) => step.split(' ')[1])
    expect(seals).toEqual(['5', '6', '7', '8', '9'])
  })
})

describe('sync', () => {
  test('I1: waits for the segments before', async () => {
    const fixture = await openLog()
    await fixture.write(3000)
    await fixture.write(3000)
    await fixture.log.sync()
    expect(fixture.steps.filter((step) => step.startsWith('sync'))).toEqual(['sync 5', 'sync 6'])
    expect(fixture.log.durable).toEqual(fixture.log.end)
    expect(fixture.log.durableSequence).toBe(102)
  })

  test('of what is durable already asks for nothing', async () => {
    const fixture = await openLog()
    await fixture.log.sync()
    await fixture.write(10)
    await fixture.log.sync()
    await fixture.log.sync()
    expect(fixture.steps.filter((step) => step.startsWith('sync'))).toHaveLength(1)
  })

  test('I1: does not cover what is written after it began, also when that fills the segment', async () => {
    const fixture = await openLog()
    await fixture.write(1000)
    const early = fixture.log.sync()
    // Written while the sync is in flight, then the segment is full.
    await fixture.write(2500)
    const late = fixture.log.sync()
    await fixture.write(3000)
    await early
    await late
    await turns()
    const order = fixture.steps.filter((step) => /^(sync|seal) 5/.test(step))
    expect(order.map((step) => step.split(' ')[0])).toEqual(['sync', 'sync', 'seal'])
  })

  test('that fails is final: nothing is synced, sealed or written again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const fixture = await openLog()
    await fixture.write(1500)
    fixture.failNext('sync', 5, 'EIO')
    await expect(fixture.log.sync()).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
    expect(fixture.failures).toHaveLength(1)
    expect(fixture.log.place(100)).toBeUndefined()
    expect(fixture.log.failure).toMatchObject({ code: 'WISC_SYNC_FAILED' })
    expect(fixture.log.durable).toEqual(START)
    await expect(fixture.log.sync()).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
    const steps = [...fixture.steps]
    await fixture.log.retry()
    await expect(fixture.close()).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
    await fixture.log.abandon()
    await vi.advanceTimersByTimeAsync(1000)
    await turns()
    expect(fixture.steps).toEqual(steps)
    expect(fixture.fileSystem.violations).toEqual([])
  })

  test('of a directory that fails is as final', async () => {
    const fixture = await openLog()
    fixture.fileSystem.faults = ({ kind }) =>
      kind === 'syncDirectory' ? { errno: 'EIO' } : undefined
    await fixture.write(3000)
    await expect(Promise.all([fixture.write(3000), fixture.write(3000)])).rejects.toMatchObject({
      code: 'WISC_SYNC_FAILED',
    })
    await turns()
    expect(fixture.fileSystem.violations).toEqual([])
  })
})

describe('a large frame', () => {
  test('goes through the thread pool, to a segment that may be larger than its size', async () => {
    const fixture = await openLog()
    const place = await fixture.write(2 * GROUP_BYTES_MAX)
    expect(place).toEqual({ segment: 5, offset: SEGMENT_HEADER_BYTES })
    expect(fixture.log.wouldRotate(64)).toBe(true)
    expect((await fixture.write(10)).segment).toBe(6)
  })

  /** A frame whose value a caller keeps, of so many bytes, being written. */
  function writeBorrowed(fixture: LogFixture, value: Uint8Array): Promise<void> {
    const group = new Group()
    const plain = plainRecord(RECORD_KIND.put, Buffer.from('key'), value)
    const record = { ...plain, table: plainTable(value), borrowed: true }
    group.begin(fixture.sequence, stagedBytes(record))
    group.add(record)
    fixture.log.place(group.frameBytes)
    fixture.sequence++
    return fixture.log.write(group)!
  }

  test('that its caller changes meanwhile fails, and its segment ends', async () => {
    const fixture = await openLog()
    const value = bytesOf(5 * GROUP_BYTES_MAX)
    const writing = writeBorrowed(fixture, value)
    value[value.length - 1000]! ^= 1
    await expect(writing).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    expect((await fixture.write(10)).segment).toBe(6)
    expect(fixture.fileSystem.violations).toEqual([])
  })

  test('is written through memory of the log: a change of what was copied already does not matter', async () => {
    const fixture = await openLog()
    const value = bytesOf(2 * GROUP_BYTES_MAX)
    const given = value.slice()
    const writing = writeBorrowed(fixture, value)
    value[1000]! ^= 1
    await writing
    const stored = fixture.fileSystem.visibleImage().files.get(segmentPath(5))!
    expect(Buffer.from(stored).subarray(-given.length).equals(given)).toBe(true)
    // The file system holds what it was given against what it is given at the end.
    expect(fixture.fileSystem.violations).toEqual([])
  })
})

test('close syncs everything; one edit seals the last segment and drops what was never used', async () => {
  const fixture = await openLog()
  for (let i = 0; i < 3; i++) await fixture.write(3000)
  const { end } = fixture.log
  expect((await fixture.close()).end).toEqual(end)
  expect(fixture.log.durable).toEqual(end)
  const edits = fixture.steps
    .filter((step) => /^(seal|drop)/.test(step))
    .map((step) => step.slice(0, 6))
  expect(edits).toEqual(['seal 5', 'seal 6'])
  const last = [`end 7:${end.offset} seals 7 unused 8`, 'released 8', 'released 7']
  expect(fixture.steps.slice(-3)).toEqual(last)
  expect(fixture.fileSystem.violations).toEqual([])
})

test('close of an empty log ends where it began', async () => {
  const fixture = await openLog()
  const { end, seals, unused } = await fixture.close()
  expect({ end, seals }).toEqual({ end: START, seals: [] })
  expect(unused).toHaveLength(2)
})
