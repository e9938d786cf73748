/** Admission: the reasons for which a group is refused or waits, by themselves and one before the other. */
import { EventEmitter, once } from 'node:events'
import { beforeEach, expect, test } from 'vitest'
import { WiscError, type WiscErrorCode } from '#dist/lib/base/errors.js'
import { Signal } from '#dist/lib/base/signal.js'
import { LEVEL_0_RUNS_SLOW, LEVEL_0_RUNS_STOP } from '#dist/lib/tree/version/tree-shape.js'
import { Admission } from '#dist/lib/writes/admission.js'
import type { BatchSize } from '#dist/lib/writes/batch.js'

/** Everything that admission asks, as a test wants it. */
class Store {
  /** Why puts are refused, and deletes. */
  refused: { puts?: WiscError; deletes?: WiscError } = {}
  readonly failed: WiscError[] = []
  readonly health = {
    stopped: undefined as WiscError | undefined,
    refusal: () => {
      const { puts, deletes } = this.refused
      return puts && { error: puts, sparesDeletes: deletes === undefined }
    },
    roomToCome: undefined as Promise<void> | undefined,
    writeFailed: (error: WiscError) => this.failed.push(error) === 0,
    end: () => {},
  }
  readonly compactions = { level0Runs: 0, areStopped: false, ended: new Signal(), wake: () => {} }
  readonly flushes = { ended: new Signal() }
  looks = 0
  /** What a look finds. */
  found = 0
  readonly collector = {
    diskBytes: 0,
    bounds: { puts: Number.POSITIVE_INFINITY, all: Number.POSITIVE_INFINITY },
    boundBytes: (deletesOnly: boolean) => this.collector.bounds[deletesOnly ? 'all' : 'puts'],
    lookForWriter: () => {
      this.looks++
      this.collector.diskBytes = this.found
    },
    mayGiveBack: false,
    boundReached: () => errorOf('WISC_DISK_FULL'),
    /** Of the budget of space. */
    room: Number.POSITIVE_INFINITY,
    costOf: ({ bytes, tableBytesMax, records }: BatchSize) => bytes + tableBytesMax + records,
    mayTake: (cost: number) => cost <= this.collector.room,
    written: () => {},
    writers: { uploaded: () => {} },
    take: (cost: number) => {
      this.collector.room -= cost
    },
    pace: (deletesOnly: boolean, isOver: boolean, first: BatchSize) =>
      isOver || (!deletesOnly && this.collector.costOf(first) > this.collector.room)
        ? new Promise<void>(() => {})
        : undefined,
  }
  logFailure: WiscError | undefined
  readonly log = { takeFailure: () => this.logFailure, changed: new Signal() }
  readonly events = new EventEmitter()
}

function errorOf(code: WiscErrorCode): WiscError {
  return new WiscError(code, 'for the test')
}

let store: Store
let admission: Admission
beforeEach(() => {
  store = new Store()
  admission = new Admission(store)
})

function sizeOf(bytes: number): BatchSize {
  return { bytes, arenaBytes: 10, tableBytesMax: 10, records: 1 }
}

/** What was decided, in short. */
function ask(deletesOnly = false, bytes = 100): string {
  const verdict = admission.ask(deletesOnly, sizeOf(bytes))
  if (verdict.kind === 'admitted') return verdict.deletesOnly ? 'deletes only' : 'admitted'
  return `${verdict.kind}: ${verdict.reason}`
}

test('where nothing is the matter a group is admitted, and nobody looks', () => {
  expect(ask()).toBe('admitted')
  expect(ask(true)).toBe('admitted')
  expect([store.looks, admission.stalls.count]).toEqual([0, 0])
})

test('what has failed refuses puts; where deletes go on they are admitted alone', () => {
  const full = errorOf('WISC_DISK_FULL')
  store.refused = { puts: full }
  expect(ask()).toBe('refused: failure')
  expect(ask(true)).toBe('deletes only')
  store.refused = { puts: full, deletes: full }
  expect(admission.ask(true, sizeOf(1))).toMatchObject({ kind: 'refused', error: full })
  // Before everything else, and health knows of it already.
  store.compactions.level0Runs = LEVEL_0_RUNS_STOP
  expect(ask()).toBe('refused: failure')
  expect(store.failed).toEqual([])
})

test('deletes wait for the ballast that is being given up, puts do not', () => {
  const full = errorOf('WISC_DISK_FULL')
  store.refused = { puts: full, deletes: full }
  store.health.roomToCome = new Promise(() => {})
  expect(ask(true)).toBe('waits: ballast')
  expect(ask()).toBe('refused: failure')
})

test('maxBytesOnDisk: looks first, waits while something may come back, else refuses', () => {
  store.collector.bounds = { puts: 1000, all: 2000 }
  store.collector.diskBytes = store.found = 950
  expect(ask()).toBe('refused: maxBytesOnDisk')
  expect(store.looks).toBe(1)
  // The bound of deletes has room: for them nobody looks.
  expect(ask(true)).toBe('deletes only')
  expect(store.looks).toBe(1)
  store.collector.mayGiveBack = true
  expect(ask()).toBe('waits: maxBytesOnDisk')
  // Puts would wait: they are not taken along.
  expect(ask(true)).toBe('deletes only')
  // It could never be written.
  expect(ask(false, 1001)).toBe('refused: maxBytesOnDisk')
  // A look finds that it fits.
  store.found = 900
  expect(ask()).toBe('admitted')
})

test('level 0 stops writers until it is shorter, or nothing will make it shorter', async () => {
  const { compactions } = store
  compactions.level0Runs = LEVEL_0_RUNS_STOP
  const verdict = admission.ask(false, sizeOf(100))
  if (verdict.kind !== 'waits') return expect.unreachable('it waits')
  expect(verdict.reason).toBe('level 0')
  let isOver = false
  const over = verdict.until.then(() => {
    isOver = true
  })
  compactions.ended.tell()
  await new Promise((resolve) => setImmediate(resolve))
  expect(isOver).toBe(false)
  compactions.level0Runs--
  compactions.ended.tell()
  await over
  compactions.level0Runs = LEVEL_0_RUNS_STOP
  compactions.areStopped = true
  expect(ask()).toBe('admitted')
})

test('a longer level 0 slows writers: each group waits once', async () => {
  store.compactions.level0Runs = LEVEL_0_RUNS_SLOW
  expect(ask()).toBe('waits: level 0')
  expect(ask()).toBe('admitted')
  expect(ask()).toBe('waits: level 0')
})

test('near a bound of space puts wait for room, deletes go alone, and a group takes no more than there is', () => {
  store.collector.room = 111
  expect(ask()).toBe('admitted')
  expect([admission.hasRoom(100, 111), admission.hasRoom(100, 112)]).toEqual([true, false])
  admission.take(admission.costOf(sizeOf(99)))
  expect(ask()).toBe('waits: space')
  expect(ask(true)).toBe('deletes only')
  // Level 0 comes first.
  store.compactions.level0Runs = LEVEL_0_RUNS_STOP
  expect(ask()).toBe('waits: level 0')
})

test('without a memtable or a place in the log it waits, or fails as these have', () => {
  expect(admission.withoutMemtable()).toMatchObject({ kind: 'waits', reason: 'flush' })
  expect(admission.withoutPlace()).toMatchObject({ kind: 'waits', reason: 'log' })
  store.health.stopped = errorOf('WISC_CORRUPTION')
  store.logFailure = errorOf('WISC_IO')
  expect(admission.withoutMemtable()).toMatchObject({ error: store.health.stopped })
  expect(admission.withoutPlace()).toMatchObject({ error: store.logFailure })
  // Health is told: a write is lost.
  expect(store.failed).toEqual([store.health.stopped, store.logFailure])
})

test('writers that wait again and again stand once: counted when they begin, told when they go on', async () => {
  const told: unknown[] = []
  store.events.on('stall', (stall) => told.push(stall))
  const end = once(store.events, 'stall')
  for (let i = 0; i < 3; i++) {
    const verdict = admission.withoutPlace()
    expect([admission.stalls.count, told]).toEqual([1, []])
    if (verdict.kind !== 'waits') return expect.unreachable('it waits')
    store.log.changed.tell()
    await verdict.until
  }
  await end
  expect(told).toEqual([{ ms: admission.stalls.ms, reason: 'log' }])
  expect(admission.withoutPlace().kind).toBe('waits')
  expect(admission.stalls.count).toBe(2)
})
