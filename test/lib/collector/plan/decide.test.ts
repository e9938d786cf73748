/** What the collector does next, by figures alone. */
import { expect, test } from 'vitest'
import {
  type Decision,
  decide as decideInTurns,
  doubtBytes,
  type LookState,
} from '#dist/lib/collector/plan/decide.js'
import { atOnce } from '#dist/lib/collector/plan/in-turns.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import type { Space } from '#dist/lib/space/space.js'

const SEGMENT = 1_048_576

function decide(measured: Space, state: LookState): Decision {
  return atOnce(decideInTurns(measured, state))
}

function file(
  number: number,
  referencedBytes: number,
  more: Partial<CollectibleFile> = {},
): CollectibleFile {
  const referencedRecords = Math.ceil(referencedBytes / 2048)
  return {
    number,
    kind: 'segment',
    parts: [],
    deadSegments: referencedRecords === 0 ? [number] : [],
    totalBytes: SEGMENT,
    referencedRecords,
    referencedBytes,
    diskBytes: SEGMENT,
    blockBytes: 4096,
    needsSeal: false,
    pinnedBytes: 0,
    hiddenBytes: 0,
    ...more,
  }
}

function space(more: Partial<Space>): Space {
  const files = more.files ?? []
  return {
    diskBytes: files.reduce((sum, { diskBytes }) => sum + diskBytes, 0),
    liveBytes: 10 * SEGMENT,
    exposedGarbageBytes: 0,
    punchedBytes: 0,
    expiry: { next: Number.POSITIVE_INFINITY, soonBytes: 0 },
    hiddenGarbageBytes: 0,
    pinnedBytes: 0,
    unflushedShadowBytes: 0,
    meanBytes: 2000,
    guessedKeys: 0,
    tableBytes: 1000,
    outsideTableBytes: 0,
    unwrittenUploadBytes: 0,
    tableGarbageBytes: 0,
    files,
    ...more,
  }
}

/** Steps on these files, which free so many bytes. */
function running(files: readonly number[], bytesFreed = 0): LookState['running'] {
  return {
    count: files.length,
    busyFiles: new Set(files),
    diskBytesAfter: (diskBytes) => diskBytes - bytesFreed,
  }
}

const STATE: LookState = {
  rules: {
    segmentBytes: SEGMENT,
    smallFileBytes: SEGMENT / 8,
    targetSpaceAmplification: 1.3,
    punchHoles: true,
    minimumHoleBytes: 8192,
    holeCostBytes: 10 * 1024,
  },
  putLimitBytes: Number.POSITIVE_INFINITY,
  ballastBytesToCome: 0,
  lack: undefined,
  usedBytes: 0,
  isUnlinking: false,
  unflushedBytes: 0,
  running: running([]),
  isQuiet: false,
  hasRoom: true,
  isCompacting: false,
  isTreeExposed: false,
}

/** Half garbage in each of so many files. */
const half = (count: number): CollectibleFile[] =>
  Array.from({ length: count }, (_, i) => file(i + 1, SEGMENT / 2))

test('below the start nothing is done but what costs an edit alone', () => {
  const idle = decide(
    space({ files: half(5), hiddenGarbageBytes: 9e9, unflushedShadowBytes: 9e9 }),
    STATE,
  )
  expect(idle).toMatchObject({ step: undefined, exposes: false, flushes: false })
  const dead = decide(space({ files: [...half(5), file(9, 0)] }), STATE)
  expect(dead.step).toMatchObject({ action: 'drop', files: [{ number: 9 }] })
  // The active segment is not sealed for it, and a blocked file is left alone.
  for (const more of [{ needsSeal: true }, { blocked: 'unflushed' as const }]) {
    expect(decide(space({ files: [...half(5), file(9, 0, more)] }), STATE).step).toBeUndefined()
  }
})

test('above the start the best step is taken', () => {
  const { step, exposes, flushes } = decide(
    space({ files: [file(1, 900_000), ...half(20), file(30, 1000)] }),
    STATE,
  )
  expect(step?.action).toBe('rewrite')
  expect(step?.action === 'rewrite' && step.files[0]!.number).toBe(30)
  expect([exposes, flushes]).toEqual([false, false])
})

test('what only a reader sees is no reason to reclaim, nor to wait', () => {
  const files = half(20)
  const pinned = space({ files, pinnedBytes: 10 * SEGMENT })
  const { step, pressure } = decide(pinned, STATE)
  expect(step).toBeUndefined()
  expect(pressure.limitBytes).toBe(
    decide(space({ files }), STATE).pressure.limitBytes + 13 * SEGMENT,
  )
})

test('beside a running step another file is taken, if that step does not suffice', () => {
  const files = [...half(20), file(30, 1000), file(31, 2000)]
  const stepOf = (state: LookState['running']) =>
    decide(space({ files }), { ...STATE, running: state }).step
  expect(stepOf(running([30]))).toMatchObject({ files: [{ number: 31 }] })
  expect(stepOf(running([30], 20 * SEGMENT))).toBeUndefined()
  // What costs an edit alone is done, but not to a file that is worked on.
  const dead = [...half(5), file(9, 0)]
  expect(decide(space({ files: dead }), { ...STATE, running: running([9]) }).step).toBeUndefined()
})

test('a step takes the best file, not all that the goal needs', () => {
  const { step } = decide(space({ files: half(20) }), STATE)
  expect(step).toMatchObject({ action: 'rewrite', files: [{ number: 1 }] })
})

test('while something makes room the best step is waited for, instead of a worse one that fits', () => {
  const small = file(31, 90_000, { totalBytes: 160_000, diskBytes: 163_840 })
  const measured = space({ files: [...half(20), small], liveBytes: 14 * SEGMENT })
  const { boundBytes } = decide(measured, STATE).pressure
  const chosen = (roomBytes: number, state: Partial<LookState> = {}): Decision =>
    decide(measured, { ...STATE, usedBytes: boundBytes - roomBytes, ...state })
  expect(chosen(SEGMENT).step).toMatchObject({ files: [{ number: 1 }] })
  const late = { step: undefined, isStepLate: true }
  expect(chosen(100_000, { isUnlinking: true })).toMatchObject(late)
  expect(chosen(100_000, { running: running([30]) })).toMatchObject(late)
  const fits = { step: { files: [{ number: 31 }] }, isStepLate: false }
  expect(chosen(100_000)).toMatchObject(fits)
  // A compaction may take long, and make none.
  expect(chosen(100_000, { isCompacting: true })).toMatchObject(fits)
  expect(chosen(0, { isCompacting: true })).toMatchObject(late)
  expect(chosen(0)).toMatchObject({ step: { files: [{ number: 1 }] }, isStepLate: false })
})

test('what the next rewrites will write is known near the bound', () => {
  const measured = space({ files: [...half(20), file(30, 100_000), file(31, 200_000)] })
  const near = { ...STATE, usedBytes: decide(measured, STATE).pressure.boundBytes - SEGMENT }
  const { pressure, rewriteBytes, laterBytes } = decide(measured, near)
  expect(rewriteBytes).toBeGreaterThan(100_000)
  expect(rewriteBytes).toBeLessThan(laterBytes)
  expect(laterBytes).toBeGreaterThan(200_000)
  expect(laterBytes).toBeLessThan(pressure.rewriteBytes)
  // The best one runs.
  const beside = decide(measured, { ...near, running: running([30]) })
  expect(beside.rewriteBytes).toBe(laterBytes)
  const unknown = decide(space({ files: half(1), diskBytes: 20 * SEGMENT }), near)
  expect(unknown.laterBytes).toBe(pressure.rewriteBytes)
  expect(decide(measured, STATE).rewriteBytes).toBe(pressure.rewriteBytes)
})

test('without room nothing is copied or compacted, but dropped and punched', () => {
  const state = { ...STATE, hasRoom: false }
  const files = [...half(20), file(30, 0)]
  const { step, exposes } = decide(space({ files, hiddenGarbageBytes: 9e9 }), state)
  expect([step?.action, exposes]).toEqual(['drop', false])
  expect(decide(space({ files: half(20) }), state).step).toBeUndefined()
  const punched = file(31, 400_000, { referencedRecords: 4 })
  expect(decide(space({ files: [...half(20), punched] }), state).step?.action).toBe('punch')
})

test('while a rewrite waits for its room, no hole is made that costs more than it does', () => {
  const punched = file(31, 400_000, { referencedRecords: 4 })
  const stepOf = (holeCostBytes: number, state: Partial<LookState>) => {
    const rules = { ...STATE.rules, holeCostBytes }
    const measured = space({ files: [...half(20), punched], liveBytes: 14 * SEGMENT })
    // No room: all of the bound is used.
    const { step, isStepLate } = decide(measured, { ...STATE, rules, usedBytes: 9e9, ...state })
    return [step?.action, isStepLate]
  }
  const cheap = 10 * 1024
  const dear = 1024 * 1024
  expect(stepOf(cheap, { isUnlinking: true })).toEqual(['punch', false])
  expect(stepOf(dear, { isUnlinking: true })).toEqual([undefined, true])
  expect(stepOf(dear, { running: running([99]) })).toEqual([undefined, true])
  // With nothing under way it is the hole that makes the room.
  expect(stepOf(dear, {})).toEqual(['punch', false])
  expect(stepOf(dear, { usedBytes: 0 })).toEqual(['rewrite', false])
})

test('far over the bound a rewrite waits for no other one, but for files to go', () => {
  const files = half(20)
  const over = (state: Partial<LookState>, liveBytes = 5 * SEGMENT): Decision =>
    decide(space({ files, liveBytes }), { ...STATE, usedBytes: 20 * SEGMENT, ...state })
  const beside = { running: running([1]) }
  expect(over(beside)).toMatchObject({ pairsRewrites: true, step: { files: [{ number: 2 }] } })
  expect(over({ ...beside, isUnlinking: true }).step).toBeUndefined()
  const late = { pairsRewrites: false, step: undefined }
  expect(over(beside, 14 * SEGMENT)).toMatchObject(late)
  // What runs will bring it nearer.
  expect(over({ running: running([1], 12 * SEGMENT) }, 5 * SEGMENT)).toMatchObject(late)
  // Nothing passes maxBytesOnDisk.
  expect(over({ ...beside, putLimitBytes: 20 * SEGMENT })).toMatchObject(late)
})

test('what dies within seconds is not copied, as long as nobody would have to wait', () => {
  const measured = (soonBytes: number) =>
    space({ files: half(15), liveBytes: 10 * SEGMENT, expiry: { next: 5, soonBytes } })
  const { startBytes, limitBytes } = decide(measured(0), STATE).pressure
  const overBytes = measured(0).diskBytes - startBytes
  expect(overBytes).toBeGreaterThan(0)
  const stepAt = (soonBytes: number, roomBytes: number) =>
    decide(measured(soonBytes), { ...STATE, usedBytes: limitBytes - roomBytes }).step
  expect(stepAt(overBytes - 1, SEGMENT)).toMatchObject({ action: 'rewrite' })
  expect(stepAt(overBytes, SEGMENT)).toBeUndefined()
  expect(stepAt(overBytes, SEGMENT / 2)).toMatchObject({ action: 'rewrite' })
  const dead = space({ files: [...half(15), file(30, 0)], expiry: { next: 5, soonBytes: 9e9 } })
  expect(decide(dead, STATE).step).toMatchObject({ action: 'drop' })
})

test('hidden garbage is exposed when there is much of it, or nothing else is left', () => {
  const full = Array.from({ length: 20 }, (_, i) => file(i + 1, SEGMENT))
  const exposes = (hiddenGarbageBytes: number, state: Partial<LookState> = {}): boolean =>
    decide(space({ files: full, hiddenGarbageBytes }), { ...STATE, ...state }).exposes
  expect(exposes(0)).toBe(false)
  expect(exposes(0, { isQuiet: true })).toBe(false)
  expect(exposes(SEGMENT / 8 - 1)).toBe(false)
  expect(exposes(SEGMENT / 8)).toBe(true)
  expect(exposes(SEGMENT / 8, { running: running([99]) })).toBe(false)
  expect(exposes(SEGMENT, { running: running([99]) })).toBe(true)
  expect(exposes(1, { isQuiet: true })).toBe(true)
  // It was tried, and nothing has changed since.
  expect(exposes(9 * SEGMENT, { isQuiet: true, isTreeExposed: true })).toBe(false)
})

test('dead inline values and tombstones are exposed where the tree is above the target, too', () => {
  const full = Array.from({ length: 20 }, (_, i) => file(i + 1, SEGMENT))
  const exposes = (tableGarbageBytes: number, state: Partial<LookState> = {}): boolean =>
    decide(space({ files: full, tableBytes: 13 * SEGMENT, tableGarbageBytes }), {
      ...STATE,
      ...state,
    }).exposes
  expect(exposes(0, { isQuiet: true })).toBe(false)
  expect(exposes(2.9 * SEGMENT, { isQuiet: true })).toBe(false)
  expect(exposes(3.1 * SEGMENT)).toBe(true)
  expect(exposes(3.1 * SEGMENT, { running: running([99]) })).toBe(false)
  expect(exposes(3.1 * SEGMENT, { hasRoom: false })).toBe(false)
  // What runs drops it already, and what that writes is on disk beside its inputs.
  expect(exposes(13 * SEGMENT, { isCompacting: true })).toBe(false)
})

test('below the start a tree in which next to nothing lives is given back, once writes have ceased', () => {
  const exposes = (tableGarbageBytes: number, state: Partial<LookState> = {}): boolean =>
    decide(
      space({ liveBytes: 0, tableBytes: SEGMENT, diskBytes: SEGMENT / 2, tableGarbageBytes }),
      {
        ...STATE,
        isQuiet: true,
        ...state,
      },
    ).exposes
  expect(exposes(SEGMENT)).toBe(true)
  expect(exposes(0.9 * SEGMENT)).toBe(true)
  expect(exposes(0.88 * SEGMENT)).toBe(false)
  for (const state of [
    { isQuiet: false },
    { hasRoom: false },
    { isCompacting: true },
    { isTreeExposed: true },
  ]) {
    expect(exposes(SEGMENT, state)).toBe(false)
  }
  const small = { tableBytes: SEGMENT / 8 - 1, tableGarbageBytes: SEGMENT / 8 - 1 }
  expect(
    decide(space({ ...small, diskBytes: SEGMENT / 2 }), { ...STATE, isQuiet: true }).exposes,
  ).toBe(false)
})

test('a memtable is flushed early when it may shadow something, and covers much or nothing else is left', () => {
  const full = Array.from({ length: 20 }, (_, i) => file(i + 1, SEGMENT))
  const flushes = (unflushedShadowBytes: number, state: Partial<LookState> = {}): boolean =>
    decide(space({ files: full, unflushedShadowBytes }), { ...STATE, ...state }).flushes
  expect(flushes(0, { unflushedBytes: SEGMENT, isQuiet: true })).toBe(false)
  expect(flushes(1)).toBe(false)
  expect(flushes(1, { unflushedBytes: SEGMENT / 2 })).toBe(true)
  expect(flushes(1, { isQuiet: true })).toBe(true)
  expect(flushes(SEGMENT)).toBe(true)
})

test('maxBytesOnDisk makes a tighter target than the one that was asked for', () => {
  const files = Array.from({ length: 12 }, (_, i) => file(i + 1, 900_000))
  expect(decide(space({ files }), STATE).step).toBeUndefined()
  const state = { ...STATE, putLimitBytes: 11 * SEGMENT }
  expect(decide(space({ files }), state).step?.action).toBe('rewrite')
})

test('before maxBytesOnDisk refuses puts a tree is merged for whatever it gives back', () => {
  const tree = { tableBytes: 10 * SEGMENT, tableGarbageBytes: SEGMENT, liveBytes: 8 * SEGMENT }
  const figures = { ...space({ files: [] }), ...tree, diskBytes: 10.5 * SEGMENT }
  // The tables that live take more than their keys and values: the target of 11 / 8 is kept.
  const state = { ...STATE, putLimitBytes: 11 * SEGMENT, isQuiet: true }
  expect(decide(figures, { ...state, usedBytes: 10 * SEGMENT }).exposes).toBe(false)
  expect(decide(figures, { ...state, usedBytes: 11 * SEGMENT }).exposes).toBe(true)
  const little = { ...figures, tableGarbageBytes: SEGMENT / 10 }
  expect(decide(little, { ...state, usedBytes: 11 * SEGMENT }).exposes).toBe(false)
})

test('on a full disk what puts lack comes back, within the bound of the store, too', () => {
  const lack = { missingBytes: 100_000, spareBytes: SEGMENT }
  const files = half(12)
  const space12 = space({ files })
  expect(decide(space12, STATE).step).toBeUndefined()
  const { step, pressure } = decide(space12, { ...STATE, lack })
  expect(step?.action).toBe('rewrite')
  // What deletes have killed is exposed.
  expect(pressure.limitBytes).toBe(space12.diskBytes - 100_000)
  const quiet = { ...STATE, isQuiet: true, lack }
  const full = Array.from({ length: 12 }, (_, i) => file(i + 1, SEGMENT))
  const hidden = space({ files: full, hiddenGarbageBytes: 1, unflushedShadowBytes: 0 })
  expect(decide(hidden, quiet).exposes).toBe(true)
  expect(decide({ ...hidden, unflushedShadowBytes: 1 }, { ...quiet, hasRoom: false }).flushes).toBe(
    true,
  )
})

test('on a full disk no more is written than there is room for', () => {
  const lack = { missingBytes: 100_000, spareBytes: 300_000 }
  const state = { ...STATE, isQuiet: true, lack }
  // The best file keeps too much; a worse one fits.
  const files = [...Array.from({ length: 12 }, (_, i) => file(i + 1, SEGMENT)), file(20, 400_000)]
  expect(decide(space({ files }), state).step).toBeUndefined()
  const small = file(21, 290_000, { totalBytes: 500_000, diskBytes: 503_808 })
  expect(decide(space({ files: [...files, small] }), state).step).toMatchObject({
    action: 'rewrite',
    files: [{ number: 21 }],
  })
  const hidden = space({ files: files.slice(0, 12), hiddenGarbageBytes: SEGMENT })
  expect(decide({ ...hidden, tableBytes: 300_000 }, state).exposes).toBe(true)
  expect(decide({ ...hidden, tableBytes: 300_001 }, state).exposes).toBe(false)
})

test('of many files a decision takes many turns, and says what it would say at once', () => {
  const files = half(20_000)
  const measured = space({ files, liveBytes: 100 * SEGMENT })
  const turns = decideInTurns(measured, STATE)
  let count = 1
  let next = turns.next()
  for (; !next.done; next = turns.next()) count++
  expect(next.value).toEqual(decide(measured, STATE))
  // In each turn some thousand files are looked at; each file is looked at a few times.
  expect(count).toBeGreaterThan(20)
  expect(count).toBeLessThan(60)
  expect(decideInTurns(space({ files: half(1000) }), STATE).next().done).toBe(true)
})

test('what lives is in doubt by two roots of the guesses, and by no more than half a segment', () => {
  const doubt = (guessedKeys: number, meanBytes: number): number =>
    doubtBytes({ guessedKeys, meanBytes }, { segmentBytes: 65_536 })
  // Four of them are written before the next look.
  expect(doubt(0, 1024)).toBe(2 * 2 * 1024)
  expect(doubt(21, 1024)).toBe(2 * 5 * 1024)
  expect(doubt(0, 0)).toBe(0)
  expect(doubt(0, 4000)).toBe(Math.round(2 * Math.sqrt(2) * 4000))
  expect(doubt(0, 10_000)).toBe(20_000)
  expect(doubt(0, 40_000)).toBe(32_768)
  expect(doubt(1e9, 1024)).toBe(32_768)
})
