/**
 * What a store costs at sizes that were not measured, by a model of which every number comes from the results of
 * `grow` or from an option of the store. Pure. bench/SCALE.md states the formulas.
 */
import type { FilesReport, GrowResults, GrowStep } from './results.ts'

const MIB = 1024 * 1024
const KEY_BYTES = 16

/** Options of the store that the model knows; those of the measured stores are the defaults. */
export interface ScaleOptions {
  readonly segmentBytes: number
  readonly tableBytes: number
  readonly maxOpenFiles: number
  readonly filterBitsPerKey: number
}

export const DEFAULTS: ScaleOptions = {
  segmentBytes: 64 * MIB,
  tableBytes: 4 * MIB,
  maxOpenFiles: 512,
  filterBitsPerKey: 10,
}
/** Of the tree: size ratio, and what level 1 may hold with values of this size (lib/tree/version/tree-shape.ts). */
const SIZE_RATIO = 10
const BASE_BYTES = 512 * MIB

/** base + perFile * files + perTable * tables. */
interface Share {
  readonly base: number
  readonly perFile: number
  readonly perTable: number
}

/** What was measured, by file, table, entry and call. */
export interface Coefficients {
  readonly valueBytes: number
  /** Of a table, for each key. */
  readonly entryBytes: number
  /** Shares of the options' sizes that files and tables have in the mean. */
  readonly segmentFill: number
  readonly tableFill: number
  /** Of disk bytes over live ones, at rest after overwrites. */
  readonly spaceAmplification: number
  /** Table bytes written for each entry, over its length: so many, and so many more for each level. */
  readonly flushed: number
  readonly mergedPerLevel: number
  readonly hotGetUs: number
  readonly fileOpenUs: number
  readonly tableOpenUs: number
  readonly openMs: Share
  readonly firstLookMs: Share
  readonly laterLookMs: Share
  readonly memoryBytes: Share
  readonly manifestBytes: Share
}

/** @throws Error if the results lack what the model needs */
export function coefficientsOf({ steps, files }: GrowResults): Coefficients {
  const last = steps.at(-1)
  if (last === undefined || files.length === 0) throw new Error('the results have no grow in them')
  const { read, overwrite, keys, valueBytes } = last
  const { tables, tableBytes } = read.files
  const liveBytes = keys * (valueBytes + KEY_BYTES)
  const logBytes = overwrite.files.diskBytes - overwrite.files.tableBytes
  return {
    valueBytes,
    entryBytes: tableBytes / keys,
    segmentFill: logBytes / overwrite.files.valueLogFiles / DEFAULTS.segmentBytes,
    tableFill: tableBytes / tables / DEFAULTS.tableBytes,
    spaceAmplification: overwrite.files.diskBytes / liveBytes,
    ...mergesOf(steps),
    // The cheapest step: everything is in memory there.
    hotGetUs: Math.min(...steps.map((step) => cost(step, 'getSync, hot'))),
    fileOpenUs: fileOpenUs(steps),
    tableOpenUs: tableOpenUs(steps),
    openMs: shareOf(files, (report) => report.openCpuMs),
    firstLookMs: shareOf(files, (report) => report.firstStatsCpuMs),
    laterLookMs: shareOf(files, (report) => report.laterStatsCpuMs),
    memoryBytes: shareOf(files, (report) => report.memoryBytes),
    manifestBytes: shareOf(files, (report) => report.manifestBytes),
  }
}

function cost({ read }: GrowStep, name: string): number {
  return read.costs[name]!.cpuUs
}

/** Table bytes written for each put, in lengths of an entry. */
export function mergesMeasured({ fill, keys, keysBefore }: GrowStep, entryBytes: number): number {
  return fill.tableBytesWritten / (keys - keysBefore) / entryBytes
}

/** By least squares over the steps, each with the levels that it ended with. */
function mergesOf(steps: readonly GrowStep[]): Pick<Coefficients, 'flushed' | 'mergedPerLevel'> {
  const last = steps.at(-1)!
  const entryBytes = last.read.files.tableBytes / last.keys
  const { base, slope } = fitLine(
    steps.map((step) => [
      levelsOf(step.keys * (step.valueBytes + KEY_BYTES)),
      mergesMeasured(step, entryBytes),
    ]),
  )
  return { flushed: base, mergedPerLevel: slope }
}

/** Tables, and files of the value log, that the phase `few-tables` may have open. */
const FEW = 8

/** What a get costs more with few open files, for each share of the gets that has to open one. */
function more(step: GrowStep): number {
  return step.fewTables.costs['getSync, hot, few tables']!.cpuUs - cost(step, 'getSync, hot')
}

/** Where all tables are open, and few of the files: the mean of the steps. */
function fileOpenUs(steps: readonly GrowStep[]): number {
  const found = steps
    .filter(({ read }) => read.files.tables <= FEW && read.files.valueLogFiles >= 2 * FEW)
    .map((step) => more(step) / (1 - FEW / step.read.files.valueLogFiles))
  if (found.length === 0) throw new Error('no step tells what opening a file of the log costs')
  return found.reduce((sum, us) => sum + us, 0) / found.length
}

/** Of the first step that has tables enough: a larger one may not fit into memory. */
function tableOpenUs(steps: readonly GrowStep[]): number {
  const step = steps.find(({ read }) => read.files.tables >= 2 * FEW)
  if (step === undefined) throw new Error('no step tells what opening a table costs')
  const { tables, valueLogFiles } = step.read.files
  const ofFiles = fileOpenUs(steps) * (1 - FEW / valueLogFiles)
  return Math.max(0, more(step) - ofFiles) / (1 - FEW / tables)
}

function shareOf(files: readonly FilesReport[], of: (report: FilesReport) => number): Share {
  const logs = files.filter(({ kind }) => kind === 'log')
  const tables = files.filter(({ kind }) => kind === 'tables')
  const log = fitLine(logs.map((report) => [report.valueLogFiles, of(report)]))
  const tree = fitLine(tables.map((report) => [report.tables, of(report)]))
  return {
    base: Math.max(0, Math.min(log.base, tree.base)),
    perFile: log.slope,
    perTable: tree.slope,
  }
}

/** Least squares. Requires: a point. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): {
  readonly base: number
  readonly slope: number
} {
  const mean = (at: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[at], 0) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  let [over, under] = [0, 0]
  for (const [x, y] of points) {
    over += (x - meanX) * (y - meanY)
    under += (x - meanX) ** 2
  }
  const slope = under === 0 ? 0 : Math.max(0, over / under)
  return { base: meanY - slope * meanX, slope }
}

/** Levels below level 0 that a tree over so many live bytes has. */
export function levelsOf(liveBytes: number): number {
  let levels = 1
  for (let bytes = BASE_BYTES; bytes < liveBytes; bytes *= SIZE_RATIO) levels++
  return levels
}

/** A store of so many live bytes. */
export interface Prediction {
  readonly liveBytes: number
  readonly keys: number
  readonly levels: number
  readonly writtenPerBytePut: number
  readonly tables: number
  readonly files: number
  readonly openTables: number
  readonly tablesOpenedPerGet: number
  /** Of the value log. */
  readonly filesOpenedPerGet: number
  readonly getUs: number
  readonly filterBytes: number
  readonly memoryBytes: number
  readonly manifestBytes: number
  readonly openMs: number
  readonly firstLookMs: number
  readonly laterLookMs: number
}

export function predict(
  liveBytes: number,
  options: ScaleOptions,
  measured: Coefficients,
): Prediction {
  const keys = liveBytes / (measured.valueBytes + KEY_BYTES)
  const levels = levelsOf(liveBytes)
  const tables = Math.ceil((keys * measured.entryBytes) / (options.tableBytes * measured.tableFill))
  const files = Math.ceil(
    (liveBytes * measured.spaceAmplification) / (options.segmentBytes * measured.segmentFill),
  )
  const filesOpenedPerGet = Math.max(0, 1 - (options.maxOpenFiles >> 1) / files)
  const openTables = Math.min(tables, options.maxOpenFiles >> 1)
  const tablesOpenedPerGet = opensPerGet(tables, levels, openTables)
  // What opening one takes grows with its filter and index, which are read and checked.
  const tableOpenUs = measured.tableOpenUs * (options.tableBytes / DEFAULTS.tableBytes)
  const of = ({ base, perFile, perTable }: Share): number =>
    base + perFile * files + perTable * tables
  const filterBytes = (openTables / tables) * keys * (options.filterBitsPerKey / 8)
  const merged = measured.flushed + measured.mergedPerLevel * levels
  return {
    liveBytes,
    keys,
    levels,
    writtenPerBytePut: 1 + (merged * measured.entryBytes) / (measured.valueBytes + KEY_BYTES),
    tables,
    files,
    openTables,
    tablesOpenedPerGet,
    filesOpenedPerGet,
    getUs:
      measured.hotGetUs +
      tablesOpenedPerGet * tableOpenUs +
      filesOpenedPerGet * measured.fileOpenUs,
    filterBytes,
    memoryBytes: of(measured.memoryBytes) + filterBytes,
    manifestBytes: of(measured.manifestBytes),
    openMs: of(measured.openMs),
    firstLookMs: of(measured.firstLookMs),
    laterLookMs: of(measured.laterLookMs),
  }
}

/**
 * A get of any key asks one table of each level. Level i has its share of the tables, and the least recently used are
 * closed: a table is still open if it was asked for within the last `uses` gets, where `uses` is such that the open
 * ones are `openTables` in the mean (Che's approximation of such a cache).
 */
function opensPerGet(tables: number, levels: number, openTables: number): number {
  if (openTables >= tables) return 0
  const shares = Array.from({ length: levels }, (_, i) => SIZE_RATIO ** -i)
  const sum = shares.reduce((total, share) => total + share, 0)
  const perLevel = shares.map((share) => Math.max(1, (tables * share) / sum))
  const missesAt = (uses: number, count: number): number => Math.exp(-uses / count)
  const openAt = (uses: number): number =>
    perLevel.reduce((total, count) => total + count * (1 - missesAt(uses, count)), 0)
  let [low, high] = [0, tables * 100]
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2
    if (openAt(middle) < openTables) low = middle
    else high = middle
  }
  return perLevel.reduce((total, count) => total + missesAt(low, count), 0)
}

/** What a user would notice, and from which size on. */
export interface Breaking {
  readonly what: string
  /** Infinity: not up to a petabyte. */
  readonly liveBytes: number
}

const LIMITS: readonly {
  readonly what: string
  readonly is: (prediction: Prediction, smallest: Prediction) => boolean
}[] = [
  { what: 'a get of any key costs 1.25 times as much', is: (p, s) => p.getUs > 1.25 * s.getUs },
  { what: 'a get of any key costs 10 times as much', is: (p, s) => p.getUs > 10 * s.getUs },
  { what: 'the first look takes a second of a core', is: (p) => p.firstLookMs > 1000 },
  { what: 'a later look takes 5 ms', is: (p) => p.laterLookMs > 5 },
  { what: 'an open takes a second of a core', is: (p) => p.openMs > 1000 },
  { what: 'files, filters and index hold 256 MiB', is: (p) => p.memoryBytes > 256 * MIB },
  { what: 'the manifest has 64 MiB', is: (p) => p.manifestBytes > 64 * MIB },
  {
    what: 'a put writes 1.25 times as much',
    is: (p, s) => p.writtenPerBytePut > 1.25 * s.writtenPerBytePut,
  },
]

/** In the order of size. */
export function whatBreaks(options: ScaleOptions, measured: Coefficients): Breaking[] {
  const smallest = predict(1e9, options, measured)
  return LIMITS.map(({ what, is }) => {
    let bytes = 1e9
    while (bytes < 1e15 && !is(predict(bytes, options, measured), smallest)) bytes *= 1.02
    return { what, liveBytes: bytes < 1e15 ? bytes : Number.POSITIVE_INFINITY }
  }).sort((left, right) => left.liveBytes - right.liveBytes)
}
