/**
 * What a run of the benchmark measures, in which order and for how long; readings made figures; calls at a pace.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseFlags } from '#dist/bench/flags.js'
import { paceCalls } from '#dist/bench/harness/pacing.js'
import { type FinishedStep, type Step, Steps } from '#dist/bench/harness/steps.js'
import { TreeData } from '#dist/bench/harness/tree-data.js'
import { BY_SIZE, WORKLOADS } from '#dist/bench/harness/workload-names.js'
import { addReadings, renderSpecials, type SpecialFigure } from '#dist/bench/special/figures.js'
import { leftOutForTheirNumber, roundSteps } from '#dist/bench/throughput/rounds.js'

describe('presets', () => {
  test('by itself a preset has all engines and a limit of time', () => {
    const flags = parseFlags([])
    expect(flags.engines).toContain('sqlite')
    expect(flags.minutesMax).toBe(38)
    expect(flags.workloadsAt(4096)).toEqual(WORKLOADS)
    expect(flags.workloadsAt(65_536)).toEqual(BY_SIZE)
    expect(flags.specials).toContain('overwrite-steady')
    expect(flags.steadyBytes).toBe(256 * 1024 ** 2)
  })

  test('what is chosen has no limit, and nothing beside it', () => {
    const flags = parseFlags(['--workloads', 'scan', '--sizes', '256,1KiB'])
    expect(flags.minutesMax).toBe(Number.POSITIVE_INFINITY)
    expect(flags.workloadsAt(256)).toEqual(['scan'])
    expect(flags.specials).toEqual([])
    expect(parseFlags(['--rounds', '1', '--minutes', '5']).minutesMax).toBe(5)
  })

  test('a special measurement that is chosen has its own settings, not those of the preset', () => {
    const flags = parseFlags(['--workloads', 'none', '--special', 'overwrite-steady'])
    expect(flags.workloadsAt(4096)).toEqual([])
    expect(flags.steadyBytes).toBe(1024 ** 3)
    expect(flags.steadyRows.length).toBeGreaterThan(2)
    expect(() => parseFlags(['--steady-bytes', '1MiB', '--engines', 'wisc'])).toThrow('needs')
  })
})

describe('rounds', () => {
  const plan = {
    sizes: [256, 4096],
    engines: ['wisc', 'files'] as const,
    workloadsAt: () => ['scan'],
    totalBytes: 128 * 1024 ** 2,
    entriesMax: 100_000,
  }

  test('have each engine at each size; what has a file for each value none with too many', () => {
    expect(roundSteps(plan, 2)).toEqual([
      { name: 'wisc at 256 B, round 2', kind: 'wisc at 256 B', round: 2, group: '256 B' },
      { name: 'wisc at 4 KiB, round 2', kind: 'wisc at 4 KiB', round: 2, group: '4 KiB' },
      { name: 'files at 4 KiB, round 2', kind: 'files at 4 KiB', round: 2, group: '4 KiB' },
    ])
    expect(Object.keys(leftOutForTheirNumber(plan))).toEqual(['files at 256 B'])
  })
})

describe('steps', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] })
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  const step = (kind: string, group: string, round: number): Step => {
    return { name: `${kind} ${round}`, kind, group, round }
  }
  const planned = [1, 2, 3].flatMap((round) => [
    step('a', 'small', round),
    step('b', 'small', round),
    step('c', 'large', round),
  ])
  const SECONDS: Readonly<Record<string, number>> = { a: 10, b: 20, c: 50 }

  /** Each step takes its time. */
  async function takeAll(
    secondsMax: number,
    finished: FinishedStep[] = [],
  ): Promise<{ taken: string[]; leftOut: string[]; finished: FinishedStep[] }> {
    const leftOut: string[] = []
    const taken: string[] = []
    const steps = new Steps(planned, finished, leftOut, {}, secondsMax, () => undefined)
    for (const { name, kind } of planned) {
      await steps.take(name, async () => {
        taken.push(name)
        vi.advanceTimersByTime(1000 * SECONDS[kind]!)
      })
    }
    return { taken, leftOut, finished }
  }

  test('all are taken where there is time', async () => {
    const { taken, leftOut } = await takeAll(240)
    expect(taken).toEqual(planned.map(({ name }) => name))
    expect(leftOut).toEqual([])
  })

  test('a group of a later round is taken as a whole or left out', async () => {
    // The first round takes 80 s, the small group of another 30, the large one 50.
    const { taken, leftOut } = await takeAll(145)
    expect(taken).toEqual(['a 1', 'b 1', 'c 1', 'a 2', 'b 2', 'a 3', 'b 3'])
    expect(leftOut).toEqual(['round 2 of large', 'round 3 of large'])
  })

  test('the first round is made in any case', async () => {
    expect((await takeAll(1)).taken).toEqual(['a 1', 'b 1', 'c 1'])
  })

  test('what an interrupted run has done is not done again, and its time counts', async () => {
    const before = planned.slice(0, 4).map(({ name, kind }) => {
      return { name, kind, seconds: SECONDS[kind]! }
    })
    const { taken, leftOut, finished } = await takeAll(190, before)
    expect(taken).toEqual(['b 2', 'c 2', 'a 3', 'b 3'])
    expect(leftOut).toEqual(['round 3 of large'])
    const all = planned.map(({ name }) => name)
    expect(finished.map(({ name }) => name)).toEqual(all.filter((name) => name !== 'c 3'))
  })

  test('one that fails is not done, and the report says why', async () => {
    const finished: FinishedStep[] = []
    const failed: Record<string, string> = {}
    const steps = new Steps(planned, finished, [], failed, 100, () => undefined)
    const exitCode = process.exitCode
    await steps.take('a 1', () => Promise.reject(new Error('no disk')))
    expect(process.exitCode).toBe(1)
    process.exitCode = exitCode
    expect(finished).toEqual([])
    expect(failed).toEqual({ 'a 1': 'failed: no disk' })
  })
})

describe('special figures', () => {
  test('are the medians of all readings, of all rounds', () => {
    const figures: SpecialFigure[] = []
    const reading = (value: number | null) => ({ name: 'open', unit: 'ms', value })
    addReadings(figures, [reading(5), reading(9)], null)
    addReadings(figures, [reading(6), { name: 'memory', unit: 'bytes', value: null }], null)
    expect(figures).toEqual([
      { name: 'open', unit: 'ms', value: 6, readings: [5, 9, 6] },
      { name: 'memory', unit: 'bytes', value: null, readings: [] },
    ])
    expect(renderSpecials(figures)).toMatch(/\| open +\| 6 ms +\| 5 ms to 9 ms \|/)
    addReadings(figures, [reading(6)], 0.7)
    expect(renderSpecials(figures)).toMatch(/\| open +\| 6 ms \* .*\n[\s\S]*disturbed by other/)
  })
})

test('special figures of several engines or loads have a table each', () => {
  const figure = (name: string, unit: string, readings: number[]): SpecialFigure => {
    return { name, unit, value: readings[0]!, readings }
  }
  const text = renderSpecials([
    figure('tree wisc load', 'files/s', [200, 150, 210]),
    figure('tree lmdb-nosync load', 'files/s', [300]),
    figure('tree wisc space', 'bytes/user byte', [1.014]),
    figure('together update wisc', '/s', [7]),
    figure('together update wisc, of the processor', 'us each', [8]),
    figure('documents wisc zstd 1, puts', '/s', [9]),
    figure('noise wisc, puts', '/s', [10]),
    figure('follow, no writes: behind, p50', 'ms', [11]),
    figure('range-delete a million keys, wisc: the call', 'ms', [12]),
    figure('queue wisc, the last tenth of them', 's', [13]),
    figure('open-clean memory peak', 'bytes', [1024 ** 2, 2 * 1024 ** 2]),
  ])
  const lines = text.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
  expect(lines).toEqual(
    expect.arrayContaining([
      '| tree | load, files/s | space, bytes/user byte |',
      '| wisc | 200 ±25 % | 1.01 |',
      '| lmdb-nosync | 300 | - |',
      '| together | update, /s | update, of the processor, us each |',
      '| documents | puts, /s |',
      '| documents wisc zstd 1 | 9 |',
      '| noise wisc | 10 |',
      '| follow | behind, p50, ms |',
      '| a million keys, wisc | 12 |',
      '| queue | the last tenth of them, s |',
      '| open-clean memory peak | 1.0 MiB | 1.0 MiB to 2.0 MiB |',
    ]),
  )
})

describe('calls at a pace', () => {
  test('those that come while an engine stands still wait, and their waits count', async () => {
    const STILL_MS = 60
    let calls = 0
    const { operations, latenciesUs } = await paceCalls(1000, 0.3, () => {
      if (++calls !== 100) return
      for (const end = performance.now() + STILL_MS; performance.now() < end; );
    })
    expect(operations).toBe(300)
    expect(calls).toBe(300)
    expect(latenciesUs.max).toBeGreaterThanOrEqual(1000 * STILL_MS)
    // One call in 300 stood still itself; of those of the first half of that time each had to wait for the other half.
    expect(latenciesUs.p99).toBeGreaterThanOrEqual((1000 * STILL_MS) / 2)
  })

  test('answers that come later are awaited', async () => {
    let open = 0
    await paceCalls(500, 0.1, async () => {
      open++
      await new Promise((resolve) => setTimeout(resolve, 5))
      open--
    })
    expect(open).toBe(0)
  })
})

describe('the files of a tree', () => {
  test('are the same by the same seed, in the order of their paths, of all sizes', () => {
    const [data, again] = [new TreeData(3000, 7), new TreeData(3000, 7)]
    const keys = Array.from({ length: 3000 }, (_, index) => data.key(index))
    expect(keys.every((key, i) => i === 0 || Buffer.compare(keys[i - 1]!, key) < 0)).toBe(true)
    expect(again.key(1234)).toEqual(data.key(1234))
    expect(again.value(1234).equals(data.value(1234))).toBe(true)
    expect(again.totalBytes).toBe(data.totalBytes)
    const sizes = keys.map((_, index) => data.value(index).length)
    expect(sizes.filter((size) => size < 1024).length / 3000).toBeGreaterThan(0.3)
    expect(Math.max(...sizes)).toBeGreaterThan(100_000)
    expect(() => data.check(5, data.value(6))).toThrow('a wrong file')
  })
})
