/**
 * The arithmetic of overwrite-steady: samples, rows, the model of the writers, summaries and goals.
 */
import { describe, expect, test } from 'vitest'
import { DataSet } from '#dist/bench/harness/data-set.js'
import { judgeSteady } from '#dist/bench/steady/goals.js'
import { Overwriter } from '#dist/bench/steady/overwriter.js'
import type { SteadyRun } from '#dist/bench/steady/results.js'
import {
  groupByLoad,
  nameRow,
  parseRow,
  STEADY_GOALS,
  STEADY_ROWS,
  withLoop,
  withPeers,
} from '#dist/bench/steady/rows.js'
import { latenciesOf, spaceAmplification, spaceMaxima } from '#dist/bench/steady/samples.js'
import { summarize } from '#dist/bench/steady/summary.js'

describe('samples', () => {
  test('two segments are taken off the disk bytes', () => {
    expect(spaceAmplification(1500, 100, 1000)).toBe(1.3)
    expect(spaceAmplification(100, 100, 1000)).toBe(-0.1)
  })

  test('the maximum of the steady state begins with the end of the first pass', () => {
    const samples = [
      { acknowledged: 0, spaceAmplification: 1 },
      { acknowledged: 99, spaceAmplification: 5 },
      { acknowledged: 100, spaceAmplification: 2 },
      { acknowledged: 400, spaceAmplification: 1.5 },
    ]
    expect(spaceMaxima(samples, 100)).toEqual({ steady: 2, overall: 5 })
    expect(spaceMaxima(samples, 401)).toEqual({ steady: null, overall: 5 })
  })

  test('percentiles are times that occurred, in microseconds', () => {
    const times = Float32Array.from({ length: 1000 }, (_, i) => 1000 - i)
    expect(latenciesOf(times)).toEqual({ p50: 500e3, p99: 990e3, p999: 999e3, max: 1000e3 })
    expect(times[0]).toBe(1000)
    expect(latenciesOf(Float32Array.of(2))).toEqual({ p50: 2e3, p99: 2e3, p999: 2e3, max: 2e3 })
    expect(latenciesOf(new Float32Array())).toBeNull()
  })
})

describe('rows', () => {
  test('names and rows are each other', () => {
    const goals = STEADY_GOALS.map(({ row }) => row)
    const peers = ['4KiB-uniform-1.3-rocksdb-blob', '64KiB-zipf-off-ext4-classic-level']
    for (const name of [
      ...goals,
      ...peers,
      '4KiB-uniform-2.0',
      '256B-zipf-1.05',
      '1MiB-zipf-off',
    ]) {
      expect(nameRow(parseRow(name))).toBe(name)
    }
  })

  test.each([
    '4KiB',
    '4KiB-uniform',
    '4KiB-normal-1.3',
    'x-uniform-1.3',
    '4KiB-uniform-1',
    '4KiB-uniform-1.3-xfs',
    '4KiB-uniform-1.3-ext4-ext4',
    '4KiB-uniform-1.3-lmdb',
  ])('%s is no row', (name) => expect(() => parseRow(name)).toThrow(/^not a/))

  test('rows of one load come together, each target once, and share the run without a collector', () => {
    const names = [
      '4KiB-uniform-1.3',
      '1KiB-zipf-off',
      '4KiB-uniform-1.6',
      '4KiB-uniform-1.3',
      '4KiB-zipf-1.3',
    ]
    expect(groupByLoad(names.map(parseRow)).map(({ rows }) => rows.map(nameRow))).toEqual([
      ['4KiB-uniform-off', '4KiB-uniform-1.3', '4KiB-uniform-1.6'],
      ['1KiB-zipf-off'],
      ['4KiB-zipf-off', '4KiB-zipf-1.3'],
    ])
  })
})

describe('rows in a file system of their own', () => {
  const named = (names: string[]) => withLoop(names.map(parseRow), 'ext4').map(nameRow)

  test('are those of punched sizes, each right behind its like', () => {
    expect(named(['64KiB-uniform-1.3', '4KiB-uniform-1.3', '16KiB-uniform-off'])).toEqual([
      '64KiB-uniform-1.3',
      '64KiB-uniform-1.3-ext4',
      '4KiB-uniform-1.3',
      '16KiB-uniform-off',
      '16KiB-uniform-off-ext4',
    ])
    expect(named(['64KiB-uniform-1.3-ext4'])).toEqual(['64KiB-uniform-1.3-ext4'])
  })

  test('run for goals only where they were asked for, against a run of their own without a collector', () => {
    expect(STEADY_ROWS.filter((row) => row.endsWith('ext4'))).toEqual([])
    const rows = ['64KiB-uniform-1.3', '64KiB-uniform-1.3-ext4'].map(parseRow)
    const names = groupByLoad(rows).map(({ load }) => nameRow({ ...load, target: undefined }))
    expect(names).toEqual(['64KiB-uniform-off', '64KiB-uniform-off-ext4'])
  })
})

describe('rows of peers', () => {
  test('stand right behind their like: as they are tuned once for all, and held to a target where they can be', () => {
    const own = ['4KiB-uniform-1.3', '4KiB-uniform-1.6'].map(parseRow)
    const rows = withPeers(own, ['rocksdb-blob', 'classic-level'])
    expect(groupByLoad(rows).map((group) => group.rows.map(nameRow))).toEqual([
      [
        '4KiB-uniform-off',
        '4KiB-uniform-1.3',
        '4KiB-uniform-off-rocksdb-blob',
        '4KiB-uniform-1.3-rocksdb-blob',
        '4KiB-uniform-off-classic-level',
        '4KiB-uniform-1.6',
        '4KiB-uniform-1.6-rocksdb-blob',
      ],
    ])
  })

  test('are what a goal is held against, if they were asked for', () => {
    const [row, beside] = ['4KiB-uniform-1.3', '4KiB-uniform-1.3-rocksdb-blob']
    const runs = [
      makeRun(row, 1, { seconds: 1 }),
      makeRun(beside, 1, { seconds: 1.6, isPeer: true }),
    ]
    const of = (asked: string[]) =>
      judgeSteady(asked, summarize(runs)).find(({ text }) => text.endsWith('rocksdb-blob'))
    expect(of([row, beside])).toMatchObject({ measured: 1.6, limit: 1.5, met: true })
    expect(of([row])).toBeUndefined()
  })

  test('are counted by what they gave to write calls', () => {
    const run = makeRun('4KiB-uniform-1.3-rocksdb-blob', 1, { written: 3, isPeer: true })
    const [summary] = summarize([run])
    expect(summary).toMatchObject({ written: 3, writtenSettled: 4, relocated: null, stalls: null })
  })
})

describe('Overwriter', () => {
  const data = new DataSet(10 * 64, 64, 1)
  const inTurn = (): (() => number) => {
    let i = 0
    return () => i++ % data.entries
  }

  test('the model holds what was put last, and no value comes twice', async () => {
    const stored = new Map<string, Buffer>()
    const values = new Set<string>()
    for (let i = 0; i < data.entries; i++) values.add(data.value(i, 0).toString('latin1'))
    const put = async (key: Buffer, value: Buffer): Promise<void> => {
      stored.set(key.toString('latin1'), value)
      values.add(value.toString('latin1'))
    }
    const overwriter = new Overwriter(put, data, inTurn(), 35)
    expect(overwriter.expectedValue(3)?.equals(data.value(3, 0))).toBe(true)
    await overwriter.run(4)
    expect(overwriter.acknowledged).toBe(35)
    expect(overwriter.latenciesMs.length).toBe(35)
    expect(values.size).toBe(45)
    for (let i = 0; i < data.entries; i++) {
      const value = stored.get(data.key(i).toString('latin1'))
      expect(overwriter.expectedValue(i)?.equals(value!)).toBe(true)
    }
  })

  test('rejected puts are counted by code, and their keys hold nobody knows what', async () => {
    let puts = 0
    const put = async (): Promise<void> => {
      if (++puts === 12) throw new Error('full')
    }
    const overwriter = new Overwriter(put, data, inTurn(), 20)
    await overwriter.run(1)
    expect(overwriter.acknowledged).toBe(19)
    expect([...overwriter.rejected]).toEqual([['Error: full', 1]])
    expect(overwriter.expectedValue(1)).toBeUndefined()
    expect(overwriter.expectedValue(2)).toBeDefined()
  })

  test('a store that rejects everything ends the run', async () => {
    const put = (): Promise<void> => Promise.reject(new Error('full'))
    const overwriter = new Overwriter(put, data, inTurn(), 5000)
    await overwriter.run(1)
    expect(overwriter.acknowledged).toBe(0)
    expect(overwriter.rejected.get('Error: full')).toBe(1000)
  })
})

describe('summaries and goals', () => {
  const row = '4KiB-uniform-1.3'

  test('of speed the median counts, of everything else the worst round', () => {
    const [summary] = summarize([
      makeRun(row, 1, { seconds: 2, space: { steady: 1.2, overall: 1.2 }, written: 2 }),
      makeRun(row, 2, {
        seconds: 1,
        space: { steady: 1.3, overall: 1.4 },
        written: 3,
        rejected: 2,
      }),
    ])
    expect(summary).toMatchObject({
      row,
      overwritesPerSecond: 300,
      rates: [200, 400],
      spaceSteady: 1.3,
      spaceOverall: 1.4,
      written: 3,
      wcharOverWritten: 1,
      rejected: 2,
      leftOut: 0,
    })
  })

  test('a row is judged against the run of its load without a collector', () => {
    const off = makeRun('4KiB-uniform-off', 1, { seconds: 1, maxDelay: 5 })
    const on = makeRun(row, 1, { seconds: 1.6, maxDelay: 30, written: 2.5 })
    const verdicts = judgeSteady([row], summarize([off, on]))
    const of = (text: string) => verdicts.find((verdict) => verdict.text === `${row}: ${text}`)
    expect(of('space')).toMatchObject({ measured: 1.3, limit: 1.35, met: true })
    expect(of('written per user byte')).toMatchObject({ measured: 2.5, limit: 2.6, met: true })
    expect(of('overwrites/s of off')).toMatchObject({ measured: 0.625, limit: 0.45, met: true })
    expect(of('put p99.9 over off')).toMatchObject({ measured: 1, met: true })
    expect(of('loop delay beyond off, ms')).toMatchObject({ measured: 25, met: false })
    expect(of('puts rejected or left out')).toMatchObject({ measured: 0, met: true })
    expect(verdicts.every((verdict) => verdict.text.startsWith(row))).toBe(true)
  })

  test('a row that failed misses all its goals', () => {
    const verdicts = judgeSteady([row], [])
    expect(verdicts.length).toBeGreaterThan(0)
    expect(verdicts.every(({ measured, met }) => measured === null && !met)).toBe(true)
  })
})

interface Readings {
  readonly seconds?: number
  readonly space?: SteadyRun['space']
  readonly written?: number
  readonly rejected?: number
  readonly maxDelay?: number
  /** It counts nothing itself. */
  readonly isPeer?: boolean
}

/** A run of 400 overwrites of 1 byte each, all of which were written to the log. */
function makeRun(row: string, round: number, readings: Readings): SteadyRun {
  const { target, engine, ...load } = parseRow(row)
  const { seconds = 1, space = { steady: 1.3, overall: 1.3 }, written = 1 } = readings
  const { rejected = 0, maxDelay = 1, isPeer = false } = readings
  const latencies = { p50: 1, p99: 2, p999: 3, max: 4 }
  const counted = {
    logBytes: 400,
    tableBytes: 0,
    relocatedBytes: 400 * (written - 1),
    ballastBytes: 7,
  }
  const writes = isPeer ? null : counted
  return {
    row,
    load,
    engine: engine ?? null,
    target: target ?? null,
    round,
    asked: 400 + rejected,
    acknowledged: 400,
    rejected: { WISC_DISK_FULL: rejected },
    seconds,
    userBytes: 400,
    liveBytes: 100,
    space,
    writes,
    latenciesUs: latencies,
    steadyLatenciesUs: latencies,
    loopDelayMs: { p999: 1, max: maxDelay },
    longestReadingMs: 1,
    stalls: isPeer ? null : { count: 0, ms: 0 },
    peaks: {
      memoryPeakBytes: null,
      memoryBaseBytes: null,
      highWaterBytes: null,
      writtenBytes: 400 * written + (isPeer ? 0 : 7),
    },
    settled: {
      atRest: true,
      seconds: 2,
      spaceAmplification: 1.1,
      ballastBytes: 7,
      writes,
      writtenBytes: 400 * (written + 1),
      figures: {},
    },
    samples: [
      { seconds: 0, acknowledged: 0, diskBytes: 150, ballastBytes: 0, spaceAmplification: 1.3 },
    ],
  }
}
