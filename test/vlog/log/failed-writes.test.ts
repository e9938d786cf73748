/** Failed writes of the log: where the segment ends, what keeps it shut, and edits and directories that are refused. */
import { describe, expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import { GROUP_BYTES_MAX } from '#dist/vlog/log/group.js'
import type { LogEnding } from '#dist/vlog/log/log-parts.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import { LogFixture, openLog, START, turns } from '../../support/parts/log-fixture.ts'
import { segmentPath } from '../../support/parts/log-segments.ts'

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

  test('of the first frame, and of the edit that drops it: the edit that ends the log does', async () => {
    const fixture = await openLog()
    await turns()
    fixture.failEdits = new IoError('write', '/manifest', 'EIO')
    // All of the frame got through: an open that still finds the segment in the log takes it for written.
    fixture.failNext('write', 5, 'EIO', 4096)
    await expect(fixture.write(1000)).rejects.toBeInstanceOf(IoError)
    await turns()
    expect(fixture.log.failure).toMatchObject({ code: 'WISC_IO' })
    let said: LogEnding | undefined
    await fixture.log.close(async (ending) => {
      said = ending
    })
    expect(said).toMatchObject({ end: START, seals: [] })
    expect(said!.unused).toContain(5)
  })

  test('is waited for by a close: its segment is dropped once', async () => {
    const fixture = await openLog()
    await turns()
    fixture.hold = true
    fixture.failNext('write', 5, 'EIO', 4096)
    await expect(fixture.write(1000)).rejects.toBeInstanceOf(IoError)
    const closing = fixture.close()
    await turns()
    fixture.hold = false
    for (const answer of fixture.held.splice(0)) answer()
    const { unused } = await closing
    expect(fixture.steps.filter((step) => step === 'drop 5')).toHaveLength(1)
    expect(unused).not.toContain(5)
  })

  test('is waited for by a close where an older seal has failed, too', async () => {
    const fixture = await openLog()
    await turns()
    await fixture.write(3000)
    await turns()
    fixture.hold = true
    fixture.failNext('write', 6, 'EIO', 0)
    await expect(fixture.write(3000)).rejects.toBeInstanceOf(IoError)
    fixture.failEdits = new IoError('write', '/manifest', 'EIO')
    await turns()
    fixture.failEdits = undefined
    expect(fixture.log.failure).toMatchObject({ code: 'WISC_IO' })
    let unused: readonly number[] | undefined
    const closing = fixture.close().then((said) => {
      unused = said.unused
    })
    // The drop of the segment is answered last.
    while (unused === undefined) {
      await turns()
      fixture.held.pop()?.()
    }
    await closing
    expect(fixture.steps.filter((step) => step === 'drop 6')).toHaveLength(1)
    expect(unused).not.toContain(6)
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
