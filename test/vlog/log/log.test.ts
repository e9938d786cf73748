/**
 * The log with edits that the test answers: rotation, the order of syncs and seals, failed writes and syncs,
 * markers, close.
 */
import { describe, expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import { GROUP_BYTES_MAX, Group, stagedBytes } from '#dist/vlog/log/group.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import { RECORD_KIND } from '#dist/vlog/record.js'
import { valueChecksums } from '#dist/vlog/value-chunks.js'
import { LogFixture, START } from '../../support/parts/log-fixture.ts'
import { bytesOf, segmentPath } from '../../support/parts/log-segments.ts'

function openLog(): Promise<LogFixture> {
  return new LogFixture().open()
}

async function turns(count: number = 20): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

/** Longer than the log waits before it writes a marker. */
function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 80))
}

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
    await new Promise((resolve) => setTimeout(resolve, 80))
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

test('a sync of the directory that could not begin is none that failed: the next write tries again', async () => {
  const fixture = await openLog()
  await turns()
  fixture.fileSystem.faults = ({ kind }) =>
    kind === 'openDirectory' ? { errno: 'EMFILE' } : undefined
  await fixture.write(3000)
  await fixture.write(3000)
  expect(fixture.log.place(3000)).toBeUndefined()
  await turns()
  expect(fixture.log.takeFailure()).toMatchObject({ code: 'WISC_IO', errno: 'EMFILE' })
  expect(fixture.log.failure).toBeUndefined()
  // What was created for nothing is gone.
  const segments = [...fixture.fileSystem.visibleImage().files.keys()]
  expect(segments.filter((path) => path.endsWith('.vlog'))).toHaveLength(2)
  expect(fixture.failures).toEqual([])
  fixture.fileSystem.faults = undefined
  await fixture.write(3000)
  await fixture.log.sync()
  await fixture.close()
  expect(fixture.fileSystem.violations).toEqual([])
})

describe('a failed write', () => {
  test.each([0, 700])(
    'of which %i bytes got through ends its segment before anything else is written',
    async (partial) => {
      const fixture = await openLog()
      await fixture.write(500)
      const end = fixture.log.end
      await turns()
      fixture.hold = true
      fixture.failNext('write', 5, 'EIO', partial)
      await expect(fixture.write(1000)).rejects.toBeInstanceOf(IoError)
      expect(fixture.log.place(100)).toBeUndefined()
      await turns()
      expect(fixture.steps.slice(-2)).toEqual(['sync 5', `seal 5 ${end.offset} 101 durable 5`])
      const next = fixture.write(100)
      await turns()
      expect(fixture.size(6)).toBe(0)
      fixture.hold = false
      for (const answer of fixture.held.splice(0)) answer()
      expect(await next).toEqual({ segment: 6, offset: SEGMENT_HEADER_BYTES })
      expect(fixture.size(5)).toBe(end.offset + partial)
      expect(fixture.fileSystem.violations).toEqual([])
    },
  )

  test('of the first frame of a segment drops the segment', async () => {
    const fixture = await openLog()
    await turns()
    fixture.failNext('write', 5, 'ENOSPC', 50)
    await expect(fixture.write(1000)).rejects.toMatchObject({ code: 'WISC_DISK_FULL' })
    await turns()
    expect(fixture.steps).toContain('drop 5')
    expect(await fixture.write(1000)).toEqual({ segment: 6, offset: SEGMENT_HEADER_BYTES })
  })

  test('of the first frame drops the segment once, also when there is no next one yet', async () => {
    const fixture = new LogFixture()
    const { fileSystem } = fixture
    fileSystem.faults = ({ kind, path }) => {
      if (kind === 'write') return { errno: 'EIO' }
      return kind === 'create' && path !== segmentPath(5) ? { errno: 'EMFILE' } : undefined
    }
    await fixture.open()
    await expect(fixture.write(300)).rejects.toMatchObject({ code: 'WISC_IO' })
    while (!fixture.log.failure) await fixture.log.changed.next()
    expect(fixture.log.failure).toMatchObject({ code: 'WISC_IO', errno: 'EMFILE' })
    fileSystem.faults = undefined
    await fixture.log.retry()
    expect(fixture.steps.filter((step) => step === 'drop 5')).toHaveLength(1)
    expect(fixture.log.failure).toBeUndefined()
    await fixture.write(300)
    await fixture.close()
  })

  test('in the thread pool does the same', async () => {
    const fixture = await openLog()
    await fixture.write(10)
    await turns()
    fixture.failNext('write', 6, 'EIO', 9)
    await expect(fixture.write(2 * GROUP_BYTES_MAX)).rejects.toBeInstanceOf(IoError)
    const place = await fixture.write(10)
    expect(place.segment).toBeGreaterThan(6)
    expect(fixture.steps).toContain('drop 6')
  })

  test('whose end cannot be made durable keeps the log shut until a retry succeeds', async () => {
    const fixture = await openLog()
    await fixture.write(500)
    await turns()
    fixture.failNext('write', 5, 'ENOSPC')
    fixture.failEdits = new IoError('write', 'MANIFEST', 'ENOSPC')
    await expect(fixture.write(100)).rejects.toMatchObject({ code: 'WISC_DISK_FULL' })
    await turns()
    expect(fixture.log.failure).toMatchObject({ code: 'WISC_DISK_FULL' })
    await fixture.log.retry()
    expect(fixture.log.failure).toMatchObject({ code: 'WISC_DISK_FULL' })
    expect(fixture.log.place(100)).toBeUndefined()
    fixture.failEdits = undefined
    await fixture.log.retry()
    expect(fixture.log.failure).toBeUndefined()
    await fixture.write(100)
  })
})

test('a seal that cannot be written keeps no sync waiting, and is tried again', async () => {
  const fixture = await openLog()
  await fixture.write(3000)
  await turns()
  fixture.failEdits = new IoError('write', 'MANIFEST', 'ENOSPC')
  await fixture.write(3000)
  await fixture.log.sync()
  await turns()
  expect(fixture.troubles).toHaveLength(1)
  expect([fixture.log.durable.ordinal, fixture.log.isSealing]).toEqual([6, false])
  fixture.failEdits = undefined
  await fixture.log.retry()
  expect(fixture.steps.filter((step) => step.startsWith('seal 5'))).toHaveLength(2)
  expect(fixture.log.failure).toBeUndefined()
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
    group.begin(fixture.sequence, stagedBytes(3, value.length))
    group.add(RECORD_KIND.put, Buffer.from('key'), value, valueChecksums(value))
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

describe('markers', () => {
  test('one is written when the log has been idle after a sync, and only one', async () => {
    const fixture = await openLog()
    await fixture.write(10)
    await fixture.log.sync()
    const { durable, end } = fixture.log
    expect(durable).toEqual(end)
    while (fixture.log.end.offset === end.offset) await later()
    await later()
    expect(fixture.log.end.offset).toBe(end.offset + 64)
    expect(fixture.steps.filter((step) => step.startsWith('sync'))).toHaveLength(1)
  })

  test('none is written when a later frame has recorded the sync', async () => {
    const fixture = await openLog()
    await fixture.write(10)
    await fixture.log.sync()
    await fixture.write(10)
    const { end } = fixture.log
    await new Promise((resolve) => setTimeout(resolve, 80))
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
    while (!failed) await later()
    await turns()
    expect((await fixture.write(10)).segment).toBe(6)
    expect(fixture.failures).toEqual([])
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
