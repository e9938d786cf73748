/**
 * A model of a store that is overwritten for ever, to see what more relocation streams would save: survivors that are
 * kept apart by how often they survived, or by their age, instead of one relocation for each rewrite. Not a part of
 * `npm run bench`: `node dist/bench/micro/streams.js [BYTES]`.
 *
 * What is due, and which files go, the collector's own planner says (`decide`), at every sixteenth of a segment; steps,
 * flushes and compactions take no time, so there is no room lost to what runs. Records of 4 KiB, segments of 64 MiB,
 * a target of 1.3, four times the data set. It looks below the public face: what it asks has none.
 */
import { RECORD_HEADER_BYTES } from '../../lib/base/record-size.ts'
import { outputBytes, type RewriteSums } from '../../lib/collector/plan/costs.ts'
import { decide, type LookState } from '../../lib/collector/plan/decide.ts'
import { atOnce } from '../../lib/collector/plan/in-turns.ts'
import type { CollectionStep } from '../../lib/contract/collection-plan.ts'
import type { CollectibleFile } from '../../lib/space/figures.ts'
import { formatBytes, parseBytes } from '../harness/byte-sizes.ts'
import { createChooser, type Distribution } from '../harness/choose-key.ts'
import { renderTable } from '../harness/markdown.ts'

const MIB = 1024 * 1024
const SEGMENT_BYTES = 64 * MIB
const KEY_BYTES = 16
const VALUE_BYTES = 4096
const RECORD_BYTES = RECORD_HEADER_BYTES + KEY_BYTES + VALUE_BYTES
const USER_BYTES = KEY_BYTES + VALUE_BYTES
const SEGMENT_RECORDS = Math.floor(SEGMENT_BYTES / RECORD_BYTES)
const BLOCK_BYTES = 4096
/** Of a table, for each entry: bench/micro/table.ts. */
const ENTRY_BYTES = 31
/** Runs of level 0 that are merged into the next level, and with it what they shadow is exposed. */
const LEVEL_0_RUNS = 4
const TARGET = 1.3
const FACTOR = 4
const LOOK_RECORDS = Math.ceil(SEGMENT_RECORDS / 16)
const SEED = 1

/** Into which of the streams a survivor goes: by how often it has survived, itself included, and its age in puts. */
type Classify = (survivals: number, age: number, keys: number) => number

interface Variant {
  readonly name: string
  readonly streams: number
  readonly classify: Classify
  /** An output is written on by the next rewrite until it is as long as a segment. */
  readonly isKeptOpen: boolean
}

const VARIANTS: readonly Variant[] = [
  { name: '1, as it is', streams: 1, classify: () => 0, isKeptOpen: false },
  { name: '1, outputs filled up', streams: 1, classify: () => 0, isKeptOpen: true },
  variant('2, by survivals: 1, more', 2, (survivals) => Math.min(survivals, 2) - 1),
  variant('3, by survivals: 1, 2, more', 3, (survivals) => Math.min(survivals, 3) - 1),
  variant('2, by age: half a pass', 2, (_, age, keys) => (age < keys / 2 ? 0 : 1)),
  variant('2, by age: one pass', 2, (_, age, keys) => (age < keys ? 0 : 1)),
  variant('3, by age: half a pass, two', 3, (_, age, keys) =>
    age < keys / 2 ? 0 : age < 2 * keys ? 1 : 2,
  ),
]

function variant(name: string, streams: number, classify: Classify): Variant {
  return { name, streams, classify, isKeptOpen: true }
}

/** Where a record is with the tree: what it is worth to the collector. */
const STATE = { live: 0, shadowed: 1, hidden: 2, exposed: 3 } as const

interface ModelFile {
  readonly number: number
  readonly kind: 'segment' | 'relocation'
  readonly records: number[]
  /** That tables point to, or memtables: all but the exposed ones. */
  referenced: number
  isSealed: boolean
  /** Of the log: some of it is in no table yet. */
  isUnflushed: boolean
}

/** What one run has written, in bytes. */
interface Written {
  user: number
  log: number
  relocated: number
  tables: number
}

class Model {
  readonly #variant: Variant
  readonly #keys: number
  readonly #files: Map<number, ModelFile> = new Map()
  readonly #newest: Int32Array
  /** By record. */
  readonly #keyOf: Uint32Array
  readonly #fileOf: Uint32Array
  readonly #stateOf: Uint8Array
  readonly #survivalsOf: Uint8Array
  #count = 0
  #flushedUpTo = 0
  #runs = 0
  readonly #shadowed: number[] = []
  readonly #hidden: number[] = []
  #nextNumber = 1
  #log: ModelFile
  readonly #outputs: (ModelFile | undefined)[]
  readonly written: Written = { user: 0, log: 0, relocated: 0, tables: 0 }
  diskBytesMax = 0

  constructor(keys: number, puts: number, variant: Variant) {
    this.#variant = variant
    this.#keys = keys
    this.#newest = new Int32Array(keys).fill(-1)
    this.#keyOf = new Uint32Array(puts)
    this.#fileOf = new Uint32Array(puts)
    this.#stateOf = new Uint8Array(puts)
    this.#survivalsOf = new Uint8Array(puts)
    this.#outputs = Array.from({ length: variant.streams }, () => undefined)
    this.#log = this.#newFile('segment')
  }

  put(key: number): void {
    if (this.#log.records.length === SEGMENT_RECORDS) {
      this.#log.isSealed = true
      this.#log = this.#newFile('segment')
    }
    const record = this.#count++
    const before = this.#newest[key]!
    if (before >= 0) {
      this.#stateOf[before] = STATE.shadowed
      this.#shadowed.push(before)
    }
    this.#newest[key] = record
    this.#keyOf[record] = key
    this.#append(this.#log, record)
    this.written.user += USER_BYTES
    this.written.log += RECORD_BYTES
    if (this.#count % LOOK_RECORDS === 0) this.#look()
  }

  /** After the load: nothing is shadowed. */
  flush(): void {
    const entries = this.#count - this.#flushedUpTo
    this.written.tables += entries * ENTRY_BYTES
    for (const record of this.#shadowed) {
      // Both in one memtable: the older entry is in no table.
      if (record >= this.#flushedUpTo) this.#expose(record)
      else {
        this.#stateOf[record] = STATE.hidden
        this.#hidden.push(record)
      }
    }
    this.#shadowed.length = 0
    this.#flushedUpTo = this.#count
    for (const file of this.#files.values()) file.isUnflushed = false
    if (++this.#runs >= LEVEL_0_RUNS) this.#compact()
  }

  #compact(): void {
    this.#runs = 0
    this.written.tables += this.#keys * ENTRY_BYTES
    for (const record of this.#hidden) this.#expose(record)
    this.#hidden.length = 0
  }

  #expose(record: number): void {
    this.#stateOf[record] = STATE.exposed
    this.#files.get(this.#fileOf[record]!)!.referenced--
  }

  #newFile(kind: ModelFile['kind']): ModelFile {
    const number = this.#nextNumber++
    const isLog = kind === 'segment'
    const file = {
      number,
      kind,
      records: [],
      referenced: 0,
      isSealed: !isLog,
      isUnflushed: isLog,
    }
    this.#files.set(number, file)
    return file
  }

  #append(file: ModelFile, record: number): void {
    file.records.push(record)
    file.referenced++
    this.#fileOf[record] = file.number
  }

  /** Carries out what is due until nothing is. */
  #look(): void {
    for (;;) {
      const files = [...this.#files.values()].map((file) => this.#collectible(file))
      const tableBytes = (this.#keys + this.#hidden.length) * ENTRY_BYTES
      const diskBytes = files.reduce((sum, file) => sum + file.diskBytes, tableBytes)
      this.diskBytesMax = Math.max(this.diskBytesMax, diskBytes)
      const { step, exposes, flushes } = atOnce(
        decide(this.#space(files, diskBytes), this.#state()),
      )
      if (flushes) this.flush()
      if (exposes) this.#compact()
      if (step) this.#carryOut(step)
      if (!step && !exposes && !flushes) return
    }
  }

  #space(files: readonly CollectibleFile[], diskBytes: number): Parameters<typeof decide>[0] {
    return {
      files,
      diskBytes,
      liveBytes: this.#keys * USER_BYTES,
      exposedGarbageBytes: 0,
      punchedBytes: 0,
      expiry: { next: Number.POSITIVE_INFINITY, soonBytes: 0 },
      hiddenGarbageBytes: this.#hidden.length * RECORD_BYTES,
      pinnedBytes: 0,
      unflushedShadowBytes: this.#shadowed.length * RECORD_BYTES,
      meanBytes: USER_BYTES,
      guessedKeys: 0,
      outsideTableBytes: 0,
      unwrittenUploadBytes: 0,
      tableBytes: (this.#keys + this.#hidden.length) * ENTRY_BYTES,
      tableGarbageBytes: this.#hidden.length * ENTRY_BYTES,
    }
  }

  #state(): LookState {
    return {
      rules: {
        segmentBytes: SEGMENT_BYTES,
        smallFileBytes: SEGMENT_BYTES / 8,
        targetSpaceAmplification: TARGET,
        punchHoles: false,
        minimumHoleBytes: 8192,
        holeCostBytes: 10_000,
        nextFileNumber: this.#nextNumber,
      },
      putLimitBytes: Number.POSITIVE_INFINITY,
      ballastBytesToCome: 0,
      lack: undefined,
      usedBytes: 0,
      isUnlinking: false,
      unflushedBytes: (this.#count - this.#flushedUpTo) * RECORD_BYTES,
      running: { count: 0, busyFiles: new Set(), diskBytesAfter: (bytes) => bytes },
      isQuiet: false,
      hasRoom: true,
      isCompacting: false,
      isTreeExposed: false,
    }
  }

  #collectible(file: ModelFile): CollectibleFile {
    const { number, kind, records, referenced } = file
    const referencedBytes = referenced * RECORD_BYTES
    const bytes = records.length * RECORD_BYTES
    const totalBytes = kind === 'segment' ? bytes : outputBytes(sumsOf(records.length))
    const isOpenOutput = this.#outputs.includes(file)
    const blocked = isOpenOutput ? 'busy' : file.isUnflushed ? 'unflushed' : undefined
    return {
      number,
      kind,
      parts: [],
      deadSegments: referenced === 0 ? [number] : [],
      totalBytes,
      referencedRecords: referenced,
      referencedBytes,
      diskBytes: Math.ceil(totalBytes / BLOCK_BYTES) * BLOCK_BYTES,
      blockBytes: BLOCK_BYTES,
      needsSeal: !file.isSealed,
      pinnedBytes: 0,
      hiddenBytes: 0,
      ...(blocked && { blocked }),
    }
  }

  #carryOut(step: CollectionStep): void {
    if (step.action === 'forget' || step.action === 'punch') throw new Error(`a ${step.action}`)
    for (const { number } of step.files) {
      const file = this.#files.get(number)!
      if (file === this.#log) this.#log = this.#newFile('segment')
      this.#files.delete(number)
      if (step.action === 'rewrite') this.#relocate(file)
    }
    if (this.#variant.isKeptOpen) return
    this.#outputs.fill(undefined)
  }

  #relocate(file: ModelFile): void {
    for (const record of file.records) {
      if (this.#stateOf[record] === STATE.exposed) continue
      const survivals = Math.min(255, this.#survivalsOf[record]! + 1)
      this.#survivalsOf[record] = survivals
      const stream = this.#variant.classify(survivals, this.#count - record, this.#keys)
      this.#outputs[stream] ??= this.#newFile('relocation')
      const output = this.#outputs[stream]
      this.#append(output, record)
      this.written.relocated += RECORD_BYTES
      if (output.records.length === SEGMENT_RECORDS) this.#outputs[stream] = undefined
    }
  }
}

function sumsOf(records: number): RewriteSums {
  const copiedBytes = records * RECORD_BYTES
  const diskBytes = copiedBytes
  return {
    diskBytes,
    totalBytes: copiedBytes,
    records,
    copiedBytes,
    parts: 1,
    blockBytes: BLOCK_BYTES,
  }
}

/** @returns written for each byte that the overwrites put, and of these what was relocated, and the space */
function run(distribution: Distribution, bytes: number, variant: Variant): readonly number[] {
  const keys = Math.floor(bytes / VALUE_BYTES)
  const overwrites = FACTOR * keys
  const model = new Model(keys, keys + overwrites, variant)
  for (let key = 0; key < keys; key++) model.put(key)
  model.flush()
  const before = { ...model.written }
  model.diskBytesMax = 0
  const choose = createChooser(distribution, keys, SEED)
  for (let i = 0; i < overwrites; i++) model.put(choose())
  const { user, log, relocated, tables } = model.written
  const userBytes = user - before.user
  const relocatedBytes = relocated - before.relocated
  const all = log - before.log + relocatedBytes + tables - before.tables
  const space = (model.diskBytesMax - 2 * SEGMENT_BYTES) / (keys * USER_BYTES)
  return [all / userBytes, relocatedBytes / userBytes, space]
}

const bytes = parseBytes(process.argv[2] ?? '1GiB')
console.log(
  `${formatBytes(bytes)} of values of 4 KiB, overwritten ${FACTOR} times, target ${TARGET}\n`,
)
const lines = VARIANTS.map((one) => [
  one.name,
  ...(['uniform', 'zipf'] as const).flatMap((distribution) =>
    run(distribution, bytes, one).map((figure) => figure.toFixed(2)),
  ),
])
const head = ['uniform: written', 'relocated', 'space', 'Zipf: written', 'relocated', 'space']
console.log(renderTable(['streams', ...head], lines))
