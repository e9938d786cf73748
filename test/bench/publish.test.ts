/** What a run becomes that is shown: small figures, who is ahead, goals, parts of pages, costs for advice. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { benchPage } from '#dist/bench/report/bench-page.js'
import { costsFile } from '#dist/bench/report/costs.js'
import { type Figures, figuresOf, readFigures, showFigures } from '#dist/bench/report/figures.js'
import { frontPage } from '#dist/bench/report/front-page.js'
import { judgeRows, REASON_NAMES, reasonOf } from '#dist/bench/report/goals.js'
import { FIGURES_FILE, PICTURES_FOLDER, publishedFiles } from '#dist/bench/report/publish.js'
import { fillSections } from '#dist/bench/report/sections.js'
import { standingsOf } from '#dist/bench/report/standings.js'
import type { Row } from '#dist/bench/throughput/results.js'
import { reportOf, rowsOf } from '../support/bench-report.ts'
import { ROOT } from '../support/pages.ts'

const KIB = 1024

/** Two sizes, three engines and the floor. */
const RUN = reportOf([
  ...rowsOf('raw', KIB, [400, 410, 390], 'fillrandom'),
  ...rowsOf('wisc', KIB, [200, 210, 190], 'fillrandom'),
  ...rowsOf('lmdb-nosync', KIB, [100], 'fillrandom'),
  ...rowsOf('classic-level', KIB, [50], 'fillrandom'),
  ...rowsOf('raw', 4 * KIB, [200], 'fillrandom'),
  ...rowsOf('wisc', 4 * KIB, [100], 'fillrandom'),
  ...rowsOf('lmdb-nosync', 4 * KIB, [125], 'fillrandom'),
  ...rowsOf('wisc', 4 * KIB, [80], 'readrandom-sync'),
  ...rowsOf('lmdb-nosync', 4 * KIB, [160], 'readrandom-sync'),
])

/** Both ways at two sizes: inline takes 10 and 40 us, separated 20 each. */
const BOTH_WAYS = ['fillrandom', 'overwrite', 'readrandom-sync', 'ranges', 'scan'].flatMap((name) =>
  [KIB, 4 * KIB].flatMap((size, i) => {
    const entries = name === 'ranges' ? 100 : 1
    return [
      ...rowsOf('wisc-inline', size, [[1e5, 25_000][i]! / entries], name),
      ...rowsOf('wisc-separated', size, [50_000 / entries], name),
    ]
  }),
)

describe('the pages show the figures that are checked in', () => {
  const figures = readFigures(path.join(ROOT, FIGURES_FILE))

  test.each([...publishedFiles(figures)])('%s', (name, text) => {
    const isNow = readFileSync(path.join(ROOT, name), 'utf8')
    expect(isNow === text, `npm run bench -- publish RESULTS.json writes ${name} anew`).toBe(true)
  })
})

test('so do the pictures', () => {
  const { runs } = readFigures(path.join(ROOT, FIGURES_FILE))
  const folder = path.join(ROOT, PICTURES_FOLDER)
  const pictures = readdirSync(folder)
  expect(pictures).toContain('crossover-writes.svg')
  for (const name of pictures) {
    expect(readFileSync(path.join(folder, name), 'utf8'), name).toContain(
      `<!-- ${runs[0]!.date} -->`,
    )
  }
})

test('small figures are read as they were written, to four digits', () => {
  const figures = figuresOf([RUN])
  const again = JSON.parse(showFigures(figures)) as Figures
  expect(again.cells).toHaveLength(figures.cells.length)
  expect(again.cells.find(({ engine }) => engine === 'wisc')).toMatchObject({
    workload: 'fillrandom',
    valueBytes: KIB,
    rate: 200,
    low: 190,
    high: 210,
    // A second for 400 operations.
    cpuUs: 2500,
    disturbed: 0,
  })
  expect(showFigures(again)).toBe(showFigures(figures))
  expect(showFigures({ ...figures, missing: { lmdb: 'x' } })).toContain('"missing": {"lmdb":"x"}')
})

test('nothing is shown that only tells of one machine', () => {
  const [run] = figuresOf([
    {
      ...RUN,
      machine: 'a processor, 2 cores, Linux 6.18.44-x-y1, Node v20.20.2',
      command: 'npm run bench -- --warm --json /tmp/a.json --rounds 5 --report /tmp/out',
    },
  ]).runs
  expect(run).toMatchObject({
    machine: 'a processor, 2 cores, Linux 6.18, Node v20.20.2',
    command: 'npm run bench -- --warm --rounds 5',
  })
})

test('of several runs the first that has a row counts, and for a crossover the one with most sizes', () => {
  const both = (sizes: readonly number[], rate: number): Row[] =>
    sizes.flatMap((size) => [
      ...rowsOf('wisc-inline', size, [rate]),
      ...rowsOf('wisc-separated', size, [2 * rate]),
    ])
  const first = { ...reportOf(both([KIB, 4 * KIB], 100)), date: 'first' }
  const second = { ...reportOf(both([KIB, 2 * KIB, 4 * KIB], 10)), date: 'second' }
  const { cells, crossovers } = figuresOf([first, second])
  const rates = cells.filter(({ engine }) => engine === 'wisc-inline').map(({ rate }) => rate)
  expect(rates).toEqual([100, 10, 100])
  expect(crossovers).toMatchObject([{ date: 'second', points: [{ inline: 10 }, {}, {}] }])
  expect(figuresOf([second, first]).crossovers).toMatchObject([{ date: 'second' }])
  expect(figuresOf([first]).crossovers).toMatchObject([{ date: 'first' }])
})

test('who is ahead: the fastest peer counts, not the floor, not wisc in another shape', () => {
  const { cells } = figuresOf([
    { ...RUN, rows: [...RUN.rows, ...rowsOf('wisc-inline', KIB, [999], 'fillrandom')] },
  ])
  expect(standingsOf(cells)).toEqual([
    { workload: 'fillrandom', valueBytes: KIB, peer: 'lmdb-nosync', ratio: 2 },
    { workload: 'fillrandom', valueBytes: 4 * KIB, peer: 'lmdb-nosync', ratio: 0.8 },
    { workload: 'readrandom-sync', valueBytes: 4 * KIB, peer: 'lmdb-nosync', ratio: 0.5 },
  ])
})

test('who is ahead of whom: peer by peer, and in the middle of their rows', () => {
  const { winners } = benchPage(figuresOf([RUN]))
  expect(winners).toContain('ahead of all of them in 1 of 3 rows')
  expect(winners).toMatch(/\| classic-level \| 1 of 1 +\| 4.00 +\|/)
  expect(winners).toMatch(/\| lmdb-nosync +\| 1 of 3 +\| 0.80 +\|/)
  expect(winners).not.toMatch(/\| raw/)
})

test('goals: each row of a kind meets it or is named', () => {
  const rows = judgeRows(figuresOf([RUN]).cells).map((goal) => goal.rows.map(({ met }) => met))
  // Writes from 1 KiB on; reads beside classic-level: none; beside lmdb; fills beside the floor, from 4 KiB on.
  expect(rows).toEqual([[true, false], [], [false], [false]])
  const { missed } = benchPage(figuresOf([RUN]))
  expect(missed).toMatch(/\| ahead of every peer in every write from 1 KiB on +\| 1 of 2 +\|/)
  expect(missed).toMatch(/\| fillrandom \| met +\| 0.80 lmdb-nosync \| Syncs of the log \|/)
})

test('each row that is missed has a reason, and each reason a paragraph', () => {
  const page = readFileSync(path.join(ROOT, 'bench/README.md'), 'utf8')
  for (const name of REASON_NAMES) expect(page).toContain(`- **${name}.** `)
  const { cells } = readFigures(path.join(ROOT, FIGURES_FILE))
  const behind = judgeRows(cells).flatMap(({ rows }) => rows.filter(({ met }) => !met))
  expect(behind.filter((row) => reasonOf(row) === null)).toEqual([])
})

test('the front page names the size, every peer, and who is ahead of wisc', () => {
  const { comparison } = frontPage(figuresOf([RUN]))
  expect(comparison).toMatch(/^\| 4 KiB values, thousands a second \| random puts/)
  expect(comparison).not.toContain('| cacache')
  expect(comparison?.replaceAll('\n', ' ')).toContain(
    'Not measured at this size: lmdb, classic-level, RocksDB (rocksdb-native), RocksDB, blob files, ' +
      'RocksDB (@nxtedition/rocksdb), better-sqlite3, plain files, cacache.',
  )
  expect(comparison?.replaceAll('\n', ' ')).toContain(
    'fastest of these in 0; of this table not in random puts (lmdb-nosync: 1.3 times as fast), ' +
      '`getSync` (lmdb-nosync: 2.0 times as fast).',
  )
  const lines = comparison!.split('\n').filter((line) => !line.startsWith('|'))
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(120)
})

test('costs are made of both ways, in microseconds for one value, or not at all', () => {
  expect(costsFile(figuresOf([RUN]))).toBeUndefined()
  const file = costsFile(figuresOf([reportOf(BOTH_WAYS)]))
  const points = '[\n      [1024, 10, 20],\n      [4096, 40, 20],\n    ],'
  for (const name of ['put', 'overwrite', 'get', 'rangeEntry', 'scanEntry']) {
    expect(file).toContain(`    ${name}: ${points}`)
  }
  expect(file).toContain("  date: '2026-01-02',\n  machine: 'a machine',")
})

describe('parts of a page', () => {
  const page = 'by hand\n<!-- made: one -->\nold\n<!-- end: one -->\nby hand\n'

  test('are replaced, and stay where they are', () => {
    const filled = fillSections(page, { one: 'new' })
    expect(filled).toBe('by hand\n<!-- made: one -->\n\nnew\n\n<!-- end: one -->\nby hand\n')
    expect(fillSections(filled, { one: 'new' })).toBe(filled)
  })

  test('are there, all of them, and each has a maker', () => {
    expect(() => fillSections(page, { one: 'new', two: 'new' })).toThrow('no part two')
    expect(() => fillSections(page, {})).toThrow('nobody makes the part one')
  })
})
