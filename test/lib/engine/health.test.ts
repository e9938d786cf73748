/** Health: what has failed, what is tried again when, and what stays to be seen meanwhile. */
import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CorruptionError, IoError, WiscError } from '#dist/lib/base/errors.js'
import { Signal } from '#dist/lib/base/signal.js'
import { Health, type Patients } from '#dist/lib/engine/health.js'

const MIB = 1024 * 1024

/** Parts that note what health does with them. */
class Parts {
  readonly done: string[] = []
  room = 100 * MIB
  ballastBytes = MIB
  enoughForPuts = false
  logFailure: WiscError | undefined
  flushRuns = false
  readonly events = new EventEmitter()
  readonly health = new Health(this.events)

  constructor() {
    const note = (what: string) => () => void this.done.push(what)
    const self = this
    this.health.watch({
      versions: { poison: note('poison') },
      log: {
        fail: note('fail log'),
        retry: async () => void this.done.push('retry log'),
        get failure() {
          return self.logFailure
        },
      },
      room: {
        roomBytes: () => this.room,
        get ballastBytes() {
          return self.ballastBytes
        },
        giveUpBallast: note('give up ballast'),
        takeBallastBack: async () => void this.done.push('take ballast back'),
        forgetKept: () => {},
        hasEnoughForPuts: () => this.enoughForPuts,
        hasEnoughForDeletes: () => true,
        isBallastDue: false,
      },
      flushes: {
        wake: note('flush'),
        ended: new Signal(),
        get isRunning() {
          return self.flushRuns
        },
      },
      compactions: { wake: note('compact'), ended: new Signal(), isRunning: false },
      collector: { wake: note('look'), stop: note('stop collector') },
    } as unknown as Patients)
    this.events.on('error', (error: WiscError) => this.done.push(`tell ${error.code}`))
  }

  /** What was done since this was asked last. */
  take(): string[] {
    return this.done.splice(0)
  }
}

const FULL = new IoError('write', '/db/a', 'ENOSPC')
const REFUSED = new IoError('open', '/db/a', 'EMFILE')

let parts: Parts
let health: Health
let now = 1_000_000
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  parts = new Parts()
  health = parts.health
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

async function pass(ms: number): Promise<void> {
  now += ms
  await vi.advanceTimersByTimeAsync(ms)
}

test('I1: a failed sync ends everything, at once and for good', async () => {
  const error = new WiscError('WISC_SYNC_FAILED', 'lost')
  health.workFailed(error)
  expect(parts.take()).toEqual(['stop collector', 'poison', 'fail log', 'tell WISC_SYNC_FAILED'])
  health.end(new WiscError('WISC_SYNC_FAILED', 'once more'))
  await health.tryNow()
  await pass(60_000)
  expect(parts.take()).toEqual([])
  for (const seen of [health.final, health.unproved, health.stopped, health.error]) {
    expect(seen).toBe(error)
  }
  expect(health.refusal()).toEqual({ error, sparesDeletes: false })
})

test('what was refused begins anew by itself, later each time, told of once, seen until it succeeds', async () => {
  health.workFailed(REFUSED)
  expect(parts.take()).toEqual(['look', 'tell WISC_IO'])
  expect(health.stopped).toBe(REFUSED)
  parts.flushRuns = true
  for (const ms of [250, 500, 1000, 2000]) {
    await pass(ms - 1)
    expect(parts.take(), `${ms}`).toEqual([])
    await pass(1)
    expect(parts.take(), `${ms}`).toEqual(['retry log', 'flush', 'compact'])
    expect(health.stopped).toBeUndefined()
    expect(health.error).toBe(REFUSED)
    health.workFailed(REFUSED)
    expect(parts.take()).toEqual(['look'])
  }
  await health.tryNow()
  health.workDone()
  expect(health.error).toBeUndefined()
})

test('a write that would be refused is a reason to try again, ten times a second at most', async () => {
  await health.tryNow()
  health.workFailed(REFUSED)
  parts.flushRuns = true
  parts.take()
  expect(health.refusal()).toEqual({ error: REFUSED, sparesDeletes: false })
  expect(parts.take()).toEqual([])
  now += 100
  // Writes are taken while it is tried.
  expect(health.refusal()).toBeUndefined()
  expect(parts.take()).toEqual(['flush', 'compact'])
})

test('damage stops background work for good', async () => {
  const damage = new CorruptionError('000001.sst', 0, 'checksum')
  health.workFailed(damage)
  await pass(60_000)
  await health.tryNow()
  expect(health.stopped).toBe(damage)
  expect(health.refusal()).toEqual({ error: damage, sparesDeletes: false })
  expect(parts.take()).toEqual(['look', 'tell WISC_CORRUPTION', 'retry log'])
})

test('a compaction that found no room waits for a MiB more; flushes and writes go on', () => {
  health.workFailed(FULL, 50 * MIB)
  expect(health.stopped).toBeUndefined()
  expect(health.error).toBe(FULL)
  parts.room = 51 * MIB - 1
  expect(health.noRoomToCompact()).toBe(FULL)
  parts.room++
  expect(health.noRoomToCompact()).toBeUndefined()
  // The disk could not be asked when it began.
  health.workFailed(FULL, Number.POSITIVE_INFINITY)
  expect(health.noRoomToCompact()).toBeUndefined()
  health.foundRoomToCompact()
  expect(health.error).toMatchObject({ code: 'WISC_DISK_FULL', cause: FULL })
})

test('a full disk: the ballast is given up, puts are refused, and go on when there is room for both', async () => {
  health.writeFailed(FULL)
  await pass(0)
  // At once, and with the room of the ballast.
  expect(parts.take()).toEqual(['give up ballast', 'look', 'retry log', 'retry log'])
  const refusal = health.refusal()
  expect(refusal).toMatchObject({ error: { code: 'WISC_DISK_FULL' }, sparesDeletes: true })
  // Asked ten times a second at most.
  parts.enoughForPuts = true
  expect(health.refusal()).toBeDefined()
  expect(health.disk.error).toBeDefined()
  now += 100
  expect(health.refusal()).toBeDefined()
  await pass(0)
  expect(health.disk.error).toBeUndefined()
  expect(health.refusal()).toBeUndefined()
  expect(parts.take()).toContain('take ballast back')
})

test('a disk whose log cannot go on is still full', async () => {
  health.writeFailed(FULL)
  await pass(0)
  parts.enoughForPuts = true
  parts.logFailure = REFUSED
  await health.disk.roomMayBeBack()
  expect(health.disk.error).toBeDefined()
  expect(parts.take().at(-1)).toBe('give up ballast')
})

test('what must be done is done once more with the room of the ballast, if it is the first to find none', async () => {
  let runs = 0
  const work = async (): Promise<string> => {
    if (++runs === 1) throw FULL
    return 'done'
  }
  expect(await health.withBallast(work)).toBe('done')
  expect(parts.take()).toEqual(['give up ballast', 'look'])
  runs = 0
  await expect(health.withBallast(work)).rejects.toBe(FULL)
  expect(runs).toBe(1)
})

test('the collector rests for a second after a failure, and waits for room where it found none', async () => {
  health.collectionFailed('rewrite', REFUSED, 0)
  expect(health.mayCollect).toBe(false)
  await pass(1000)
  expect(health.mayCollect).toBe(true)
  expect(parts.take()).toEqual(['look'])
  health.collectionFailed('rewrite', FULL, 10 * MIB)
  // What needs no room goes on.
  expect([health.mayCollect, health.hasRoomToCollect()]).toEqual([true, false])
  await pass(1000)
  parts.room = 22 * MIB - 1
  expect(health.hasRoomToCollect()).toBe(false)
  parts.room++
  expect(health.hasRoomToCollect()).toBe(true)
  // Not even an edit could be written.
  health.collectionFailed('rewrite', FULL, 0)
  expect(health.mayCollect).toBe(false)
})

test('what work of the collector fails with is warned of once, and is to be seen until it is done', async () => {
  const warnings: string[] = []
  parts.events.on('warning', (text: string) => warnings.push(text))
  for (const work of ['rewrite', 'expose', 'rewrite', 'expose'] as const) {
    health.collectionFailed(work, REFUSED, 0)
    expect(health.error).toBe(REFUSED)
    expect(health.mayCollect).toBe(false)
    await pass(1000)
    expect(health.mayCollect).toBe(true)
    // What else is done says nothing of it.
    health.collectionDone('drop')
  }
  expect(warnings.map((text) => /work=(\w+)/.exec(text)?.[1])).toEqual(['rewrite', 'expose'])
  // Writes go on.
  expect([health.stopped, health.refusal()]).toEqual([undefined, undefined])
  health.collectionDone('rewrite')
  expect(health.error).toBe(REFUSED)
  health.collectionEnded()
  expect(health.error).toBeUndefined()
})

test('a step that has become stale, or meets what stopped background work, is no failure of the collector', () => {
  health.collectionFailed('drop', new WiscError('WISC_STALE', 'a put came between'), 0)
  expect([health.error, health.mayCollect]).toEqual([undefined, false])
  health.workFailed(REFUSED)
  health.collectionFailed('expose', REFUSED, 0)
  parts.flushRuns = true
  void health.tryNow()
  health.workDone()
  expect(health.stopped ?? health.error).toBe(REFUSED)
})

test('a store that closes tries nothing again by itself', async () => {
  health.workFailed(REFUSED)
  health.collectionFailed('rewrite', REFUSED, 0)
  health.close()
  parts.take()
  await pass(60_000)
  expect(parts.take()).toEqual([])
})
