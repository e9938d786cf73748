/** Jobs that share a thread: who goes first, who waits for its time, and what a cancelled one leaves. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Job, JobResult } from '#dist/lib/jobs/messages.js'
import type { JobSlices } from '#dist/lib/jobs/run-job.js'
import { SliceQueue } from '#dist/lib/jobs/slice-queue.js'
import { fakeJob } from '../../support/parts/fake-worker.ts'

const MIB = 1024 * 1024

interface Slice {
  readonly id: number
  readonly atMs: number
}

/** A queue whose jobs make so many slices of so many bytes, and what happened in it. */
function queueOf(slices: number, bytes: number, onSlice: (slice: Slice) => void = () => undefined) {
  const done: Slice[] = []
  const takenBack: number[] = []
  const ends: string[] = []
  const waiting = new Map<number, () => void>()
  let nextId = 1
  function* body(id: number) {
    let finished = false
    try {
      for (let i = 0; i < slices; i++) {
        const slice = { id, atMs: performance.now() }
        done.push(slice)
        onSlice(slice)
        yield bytes
      }
      finished = true
      return { bytesRead: id } as JobResult
    } finally {
      if (!finished) takenBack.push(id)
    }
  }
  const ids = new Map<Job, number>()
  const queue = new SliceQueue(
    (job) => body(ids.get(job)!),
    (id, result, error) => {
      ends.push(`${id} ${result ? 'result' : error?.code}`)
      waiting.get(id)?.()
    },
  )
  return {
    queue,
    done,
    takenBack,
    ends,
    /** @returns its id */
    add(kind: Job['kind'], bytesPerSecond?: number, store?: number): number {
      const job = fakeJob(kind, { slices })
      const id = nextId++
      ids.set(job, id)
      queue.add(id, job, bytesPerSecond, store)
      return id
    },
    ended: (id: number) => new Promise<void>((resolve) => waiting.set(id, resolve)),
    slicesOf: (id: number) => done.filter((slice) => slice.id === id).length,
  }
}

/** A turn of the event loop, in which a queue makes at most one slice. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

describe('order', () => {
  test('flushes, then compactions, then the collector, each in order of arrival', async () => {
    const { add, ended, ends, done } = queueOf(3, 0)
    const kinds = ['mark', 'rewrite', 'compaction', 'flush', 'walk', 'punch', 'compaction', 'flush']
    const ids = kinds.map((kind) => add(kind as Job['kind']))
    await ended(ids[5]!)
    expect(ends.map((end) => Number(end.split(' ')[0]))).toEqual([4, 8, 3, 7, 1, 2, 5, 6])
    expect(done).toHaveLength(3 * 8)
  })

  test('a job that has begun stands still for one that is more urgent', async () => {
    const { add, ended, ends, slicesOf } = queueOf(50, 1000)
    const rewrite = add('rewrite')
    while (slicesOf(rewrite) < 10) await turn()
    const compaction = add('compaction')
    while (slicesOf(compaction) < 10) await turn()
    const before = slicesOf(rewrite)
    expect(before).toBeLessThan(50)
    const flush = add('flush')
    await ended(flush)
    expect(slicesOf(compaction)).toBeLessThan(50)
    await ended(compaction)
    expect(slicesOf(rewrite)).toBe(before)
    await ended(rewrite)
    expect(ends).toEqual(['3 result', '2 result', '1 result'])
  })
})

describe('jobs of several stores', () => {
  test('take turns, whatever their kinds; of one store the most urgent goes first', async () => {
    const { add, ended, done } = queueOf(4, 0)
    add('mark', undefined, 1)
    add('compaction', undefined, 2)
    add('compaction', undefined, 1)
    const last = add('rewrite', undefined, 3)
    await ended(last)
    expect(done.slice(0, 12).map(({ id }) => id)).toEqual([2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 3, 4])
  })

  test('a flush goes before those of all stores', async () => {
    const { add, ended, done, slicesOf } = queueOf(6, 0)
    const compaction = add('compaction', undefined, 1)
    const other = add('walk', undefined, 2)
    while (slicesOf(other) < 2) await turn()
    const before = done.length
    const flush = add('flush', undefined, 3)
    await ended(flush)
    expect(done.slice(before).map(({ id }) => id)).toEqual(Array(6).fill(flush))
    await Promise.all([ended(compaction), ended(other)])
  })
})

describe('rate', () => {
  // Time stands still but for what a test lets go by.
  beforeEach(() => {
    const toFake = ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance']
    vi.useFakeTimers({ toFake: toFake as never })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('a job makes no more bytes than its rate, and not much less', async () => {
    // A hundred slices of 100 KiB, at 20 MiB a second: half a second.
    const { add, done } = queueOf(100, 0.1 * MIB)
    const began = performance.now()
    add('rewrite', 20 * MIB)
    await vi.advanceTimersByTimeAsync(1000)
    expect(done).toHaveLength(100)
    for (const [index, { atMs }] of done.entries()) {
      const allowed = 20 * MIB * ((atMs - began) / 1000)
      expect(index * 0.1 * MIB).toBeLessThanOrEqual(allowed + MIB + 0.1 * MIB)
      // A timer is no finer than a millisecond.
      expect(index * 0.1 * MIB).toBeGreaterThanOrEqual(allowed - 0.1 * MIB - 20 * MIB * 0.002)
    }
  })

  test('what waits lets others pass, less urgent ones too', async () => {
    const { add, ended, slicesOf, ends } = queueOf(20, MIB)
    const slow = add('compaction', MIB)
    const paused = add('rewrite', 0)
    const other = add('mark')
    const otherEnded = ended(other)
    await vi.advanceTimersByTimeAsync(100)
    await otherEnded
    expect(slicesOf(other)).toBe(20)
    expect(slicesOf(slow)).toBe(1)
    expect(slicesOf(paused)).toBe(0)
    expect(ends).toEqual([`${other} result`])
  })

  test('a paused job makes no slice, and the loop is idle', async () => {
    const { queue, add, ended, slicesOf } = queueOf(20, 0)
    const paused = add('rewrite', 0)
    const slow = add('rewrite', 1)
    await vi.advanceTimersByTimeAsync(50)
    queue.setRate(slow, 0)
    await vi.advanceTimersByTimeAsync(50)
    expect(slicesOf(paused)).toBe(0)
    expect(vi.getTimerCount(), 'timers and immediates that wait').toBe(0)
    queue.setRate(paused, undefined)
    const pausedEnded = ended(paused)
    await vi.advanceTimersByTimeAsync(1000)
    await pausedEnded
    expect(slicesOf(paused)).toBe(20)
  })

  test('a change takes effect at once, while the job waits', async () => {
    const { queue, add, ended, slicesOf } = queueOf(10, MIB)
    const id = add('rewrite', 1000)
    await vi.advanceTimersByTimeAsync(30)
    // The next slice would come in twenty minutes.
    expect(slicesOf(id)).toBe(1)
    queue.setRate(id, 20 * MIB)
    await vi.advanceTimersByTimeAsync(120)
    expect(slicesOf(id)).toBeGreaterThan(1)
    expect(slicesOf(id)).toBeLessThan(10)
    queue.setRate(id, 0)
    const before = slicesOf(id)
    await vi.advanceTimersByTimeAsync(100)
    expect(slicesOf(id)).toBe(before)
    queue.setRate(id, undefined)
    const jobEnded = ended(id)
    await vi.advanceTimersByTimeAsync(100)
    await jobEnded
  })
})

describe('cancelling', () => {
  test('a job that has not begun, one that runs, that waits and that is paused', async () => {
    const { queue, add, ends, takenBack, slicesOf } = queueOf(1000, MIB)
    const slow = add('compaction', 1000)
    const running = add('mark')
    const notBegun = add('rewrite')
    const paused = add('punch', undefined)
    while (slicesOf(running) < 3) await turn()
    queue.setRate(paused, 0)
    expect([slicesOf(slow), slicesOf(notBegun), slicesOf(paused)]).toEqual([1, 0, 0])
    for (const id of [paused, notBegun, slow, running, running, 77]) queue.cancel(id)
    expect(ends).toEqual([paused, notBegun, slow, running].map((id) => `${id} WISC_ABORTED`))
    // What has not begun has nothing to take back.
    expect(takenBack).toEqual([slow, running])
  })

  test('no timer is left that would keep the process alive', async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const { queue, add, slicesOf } = queueOf(10, MIB)
    const before = timers()
    const id = add('rewrite', 1000)
    while (slicesOf(id) < 1) await turn()
    await turn()
    expect(timers()).toBe(before + 1)
    queue.cancel(id)
    expect(timers()).toBe(before)
  })

  test('a job that is paused in the middle', async () => {
    const { queue, add, ends, takenBack, slicesOf } = queueOf(1000, 1)
    const id = add('rewrite')
    while (slicesOf(id) < 3) await turn()
    queue.setRate(id, 0)
    await wait(5)
    queue.cancel(id)
    expect(ends).toEqual([`${id} WISC_ABORTED`])
    expect(takenBack).toEqual([id])
  })

  test('from inside a slice: the slice ends first, and other jobs go on', async () => {
    const { queue, add, ended, ends, takenBack, slicesOf } = queueOf(5, 0, ({ id }) => {
      if (id === 1 && slicesOf(id) === 3) queue.cancel(id)
    })
    const first = add('rewrite')
    const second = add('rewrite')
    await ended(second)
    expect(slicesOf(first)).toBe(3)
    expect(takenBack).toEqual([first])
    expect(ends).toEqual([`${first} WISC_ABORTED`, `${second} result`])
  })
})

describe('a slice that yields a promise', () => {
  /** A job that waits for `pending` between two slices, and an endless one behind it. */
  function waitingJob(pending: () => Promise<void>) {
    const seen: string[] = []
    const ends: string[] = []
    function* waits() {
      try {
        yield pending()
        seen.push('went on')
        return { bytesRead: 1 } as JobResult
      } catch (error) {
        seen.push((error as Error).message)
        throw error
      } finally {
        seen.push('ended')
      }
    }
    function* other(): JobSlices {
      for (;;) {
        seen.push('other')
        yield undefined
      }
    }
    const flush = fakeJob('flush', { slices: 1 })
    const queue = new SliceQueue(
      (job) => (job === flush ? waits() : other()),
      (id, result, error) => ends.push(`${id} ${result ? 'result' : error?.code}`),
    )
    queue.add(1, flush, undefined)
    return { queue, seen, ends }
  }

  test('goes on when that is settled; others make their slices meanwhile', async () => {
    let resolve = (): void => undefined
    const pending = new Promise<void>((settle) => {
      resolve = settle
    })
    const { queue, seen, ends } = waitingJob(() => pending)
    queue.add(2, fakeJob('compaction', { slices: 1 }), undefined)
    while (seen.length < 3) await turn()
    expect(seen).toEqual(['other', 'other', 'other'])
    resolve()
    while (ends.length === 0) await turn()
    expect(ends).toEqual(['1 result'])
    queue.cancel(2)
    expect(seen.filter((what) => what !== 'other')).toEqual(['went on', 'ended'])
  })

  test('a rejection is thrown into the job', async () => {
    const { seen, ends } = waitingJob(() => Promise.reject(new Error('no sync')))
    while (ends.length === 0) await turn()
    expect(seen).toEqual(['no sync', 'ended'])
    expect(ends).toEqual(['1 WISC_INTERNAL'])
  })

  test('a cancelled job is waited for: a failed sync is heard of', async () => {
    let reject = (_: Error): void => undefined
    const pending = new Promise<void>((_, refuse) => {
      reject = refuse
    })
    const { queue, seen, ends } = waitingJob(() => pending)
    await turn()
    await turn()
    queue.cancel(1)
    await turn()
    expect(seen).toEqual([])
    reject(new Error('no sync'))
    while (ends.length === 0) await turn()
    expect(seen).toEqual(['no sync', 'ended'])
  })
})
