/**
 * Knows what a store may hold after a crash: a prefix of the commit order, at least up to what was promised.
 *
 * Batches are numbered from 1 in the order in which they were given to the store; position n is the state
 * after the first n of them. Every value carries the number of its operation, so what a store returns says
 * itself which write it comes from. A batch that failed before it was in the log is not part of the order; it
 * may still be found right behind what preceded it, as long as nothing that came later is there (its outcome
 * is unknown until the log goes on). The oracle's memory lies outside the file system, and it uses no code
 * of the store.
 */

export interface OracleWrite {
  readonly type: 'put' | 'delete' | 'deleteRange'
  /** Of a range, where it begins. */
  readonly key: string
  /** Of a range, the first key behind it; it has no end without. */
  readonly end?: string
  /** Bytes of the value, at least 4; for puts. */
  readonly length?: number
  /** Of a put, in milliseconds: whenever the store is looked at, {@link PASSED_MS} have passed, and no more. */
  readonly ttl?: number
}

/** Workloads let so much time pass before a store is opened or read. */
export const PASSED_MS = 10_000

/** A write as it goes to the store. */
export type StoreOperation =
  | {
      readonly type: 'put'
      readonly key: Buffer
      readonly value: Buffer
      readonly ttl?: number
    }
  | { readonly type: 'delete'; readonly key: Buffer }
  | { readonly type: 'deleteRange'; readonly gte: Buffer; readonly lt?: Buffer }

interface Written {
  readonly id: number
  readonly type: OracleWrite['type']
  readonly key: string
  readonly end?: string
  readonly expires: boolean
}

interface Batch {
  readonly operations: readonly Written[]
  excluded: boolean
  /** An upload: one that failed may never have come as far as the log. */
  readonly isUpload?: boolean
}

/** A state with failed batches in it. */
interface Branch {
  readonly state: Map<string, number>
  readonly failed: readonly number[]
}

/** What the workload knew at a moment: the survivors of a crash then are a position of required .. issued. */
export interface Knowledge {
  /** Batches that must survive a power cut. */
  readonly required: number
  /** Batches that were acknowledged: a killed process leaves them. */
  readonly acknowledged: number
  readonly issued: number
  /** The store had been opened: it must open again. */
  readonly created: boolean
}

export class Oracle {
  readonly #batches: Batch[] = []
  /** The value of each put, by the number of the operation; undefined for deletes. */
  readonly #values: (Buffer | undefined)[] = []
  readonly #keyOf: string[] = []
  readonly #keys: Set<string> = new Set()
  /** Positions of each state, by its digest. */
  #positions: Map<string, number[]> = new Map()
  /** For states that hold failed batches: which ones. */
  #branches: Map<string, readonly number[]> = new Map()
  #state: Map<string, number> = new Map()
  #required = 0
  #acknowledged = 0
  #created = false

  constructor() {
    this.#note(0, this.#state)
  }

  get issued(): number {
    return this.#batches.length
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** All keys that any batch named, in byte order. */
  get keys(): string[] {
    return [...this.#keys].sort()
  }

  knowledge(): Knowledge {
    return {
      required: this.#required,
      acknowledged: this.#acknowledged,
      issued: this.issued,
      created: this.#created,
    }
  }

  /** A value that is going to be written, before its place in the commit order is known. */
  reserve(key: string, length: number): { readonly id: number; readonly value: Buffer } {
    const id = this.#values.length
    const value = valueBytes(id, key, length)
    this.#values.push(value)
    this.#keyOf.push(key)
    this.#keys.add(key)
    return { id, value }
  }

  /** Takes a put of a reserved value into the commit order. @returns its number */
  submitReserved(id: number, { ttl }: Pick<OracleWrite, 'ttl'> = {}): number {
    const batch: Batch = {
      operations: [{ id, type: 'put', key: this.#keyOf[id]!, expires: expires(ttl) }],
      excluded: false,
      isUpload: true,
    }
    this.#batches.push(batch)
    applyBatch(this.#state, batch)
    this.#note(this.issued, this.#state)
    return this.issued
  }

  /** Takes a batch into the commit order. @returns its number and what to give to the store */
  submit(writes: readonly OracleWrite[]): { batch: number; operations: StoreOperation[] } {
    const operations: StoreOperation[] = []
    const ids: Written[] = []
    for (const { type, key, end, length, ttl } of writes) {
      const id = this.#values.length
      const value = type === 'put' ? valueBytes(id, key, length ?? 4) : undefined
      this.#values.push(value)
      this.#keyOf.push(key)
      this.#keys.add(key)
      ids.push({ id, type, key, ...(end !== undefined && { end }), expires: expires(ttl) })
      const bytes = Buffer.from(key, 'latin1')
      const upper = end === undefined ? {} : { lt: Buffer.from(end, 'latin1') }
      if (type === 'deleteRange') operations.push({ type, gte: bytes, ...upper })
      else
        operations.push(
          value
            ? { type: 'put', key: bytes, value, ...(ttl !== undefined && { ttl }) }
            : { type: 'delete', key: bytes },
        )
    }
    const batch: Batch = { operations: ids, excluded: false }
    this.#batches.push(batch)
    applyBatch(this.#state, batch)
    this.#note(this.issued, this.#state)
    return { batch: this.issued, operations }
  }

  /** The store was opened or created. */
  opened(): void {
    this.#created = true
  }

  acknowledge(batch: number, sync: boolean): void {
    this.#acknowledged = Math.max(this.#acknowledged, batch)
    if (sync) this.#required = Math.max(this.#required, batch)
  }

  /** Everything up to this batch is promised to be durable. */
  require(batch: number): void {
    this.#required = Math.max(this.#required, batch)
  }

  /** A batch failed and left no trace in the log. */
  exclude(batch: number): void {
    this.#batches[batch - 1]!.excluded = true
    this.#rebuild()
  }

  #rebuild(): void {
    this.#positions = new Map()
    this.#branches = new Map()
    this.#state = new Map()
    this.#note(0, this.#state)
    let branches: Branch[] = [{ state: new Map(this.#state), failed: [] }]
    for (const [index, one] of this.#batches.entries()) {
      if (one.excluded) {
        const withIt = branches.map(({ state, failed }): Branch => {
          const changed = new Map(state)
          applyBatch(changed, one)
          return { state: changed, failed: [...failed, index + 1] }
        })
        for (const { state, failed } of withIt) {
          this.#note(index + 1, state)
          this.#branches.set(digestOf(state), failed)
        }
        branches = one.isUpload ? [...branches, ...withIt] : withIt
      } else {
        applyBatch(this.#state, one)
        branches = [{ state: new Map(this.#state), failed: [] }]
      }
      this.#note(index + 1, this.#state)
    }
  }

  /**
   * A reopened store was found to hold this, at one of `positions`: what it holds is durable, what came
   * later is not there, and of a failed batch it is known now.
   */
  settle(entries: ReadonlyMap<string, number>, positions: readonly number[]): void {
    const position = Math.max(...positions)
    for (const batch of this.#branches.get(digestOf(entries)) ?? []) {
      this.#batches[batch - 1]!.excluded = false
    }
    for (const batch of this.#batches.slice(position)) batch.excluded = true
    this.#rebuild()
    this.acknowledge(position, true)
  }

  #note(position: number, state: ReadonlyMap<string, number>): void {
    const digest = digestOf(state)
    const positions = this.#positions.get(digest)
    if (positions === undefined) this.#positions.set(digest, [position])
    else if (positions.at(-1) !== position) positions.push(position)
  }

  /**
   * The operation that a value comes from.
   * @throws Error if it was never written to this key
   */
  identify(key: Uint8Array, value: Uint8Array): number {
    const text = Buffer.from(key).toString('latin1')
    const id = value.length >= 4 ? Buffer.from(value).readUInt32LE(0) : -1
    const written = this.#values[id]
    if (written === undefined || this.#keyOf[id] !== text) {
      throw new Error(
        `key ${show(text)} has a value that was never written to it (operation ${id})`,
      )
    }
    if (Buffer.compare(written, value) !== 0) {
      throw new Error(`key ${show(text)} has a damaged value (operation ${id})`)
    }
    return id
  }

  /**
   * Positions whose state is what was read: key and operation of every entry.
   * @throws Error if it is the state of no position, with the nearest one
   */
  positionsOf(entries: ReadonlyMap<string, number>): readonly number[] {
    const positions = this.#positions.get(digestOf(entries))
    if (positions !== undefined) return positions
    throw new Error(`no prefix of the commit order: ${this.#explain(entries)}`)
  }

  /** Key and operation of every entry after the first `position` batches. */
  stateAt(position: number): ReadonlyMap<string, number> {
    const state = new Map<string, number>()
    for (const batch of this.#batches.slice(0, position)) {
      if (!batch.excluded) applyBatch(state, batch)
    }
    return state
  }

  /** The nearest position and how it differs. */
  #explain(entries: ReadonlyMap<string, number>): string {
    const state = new Map<string, number>()
    let nearest = { position: 0, differences: differences(state, entries) }
    for (const [index, batch] of this.#batches.entries()) {
      if (!batch.excluded) applyBatch(state, batch)
      const found = differences(state, entries)
      if (found.length < nearest.differences.length) {
        nearest = { position: index + 1, differences: found }
      }
    }
    const { position, differences: list } = nearest
    return `nearest is position ${position} of ${this.issued}, ${list.slice(0, 5).join('; ')}`
  }
}

/** Throws unless one of the positions lies in the range. */
export function requirePosition(
  positions: readonly number[],
  from: number,
  to: number,
  what: string,
): void {
  if (positions.some((position) => position >= from && position <= to)) return
  throw new Error(`${what}: found the state at ${positions.join(' or ')}, must be ${from} to ${to}`)
}

/**
 * Holds what was recovered against what was known when the power or the process went.
 * @param positions undefined if there was no store
 * @param complete every complete write persisted: what a killed process leaves
 */
export function holdAgainst(
  positions: readonly number[] | undefined,
  knowledge: Knowledge,
  complete: boolean,
): void {
  if (positions === undefined) {
    if (knowledge.created) throw new Error('the store is gone')
    return
  }
  const required = complete ? knowledge.acknowledged : knowledge.required
  requirePosition(positions, required, knowledge.issued, 'after a crash')
}

function expires(ttl: number | undefined): boolean {
  return ttl !== undefined && ttl <= PASSED_MS
}

function applyBatch(state: Map<string, number>, batch: Batch): void {
  for (const { id, type, key, end, expires: isGone } of batch.operations) {
    if (type === 'put' && !isGone) state.set(key, id)
    else if (type !== 'deleteRange') state.delete(key)
    else {
      for (const each of state.keys())
        if (each >= key && (end === undefined || each < end)) state.delete(each)
    }
  }
}

function digestOf(state: ReadonlyMap<string, number>): string {
  const parts: string[] = []
  for (const [key, id] of state) parts.push(`${key}=${id}`)
  return parts.sort().join('\n')
}

function differences(
  expected: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
): string[] {
  const list: string[] = []
  for (const [key, id] of expected) {
    if (found.get(key) !== id) list.push(`${show(key)} is ${found.get(key) ?? 'absent'}, not ${id}`)
  }
  for (const [key, id] of found) {
    if (!expected.has(key)) list.push(`${show(key)} is ${id}, not absent`)
  }
  return list
}

function show(key: string): string {
  return JSON.stringify(key.length > 40 ? `${key.slice(0, 40)}...` : key)
}

/**
 * The value of an operation: its number, then bytes that follow from number and key. Every other one repeats itself, so
 * that compression has something to do.
 */
function valueBytes(id: number, key: string, length: number): Buffer {
  const value = Buffer.alloc(Math.max(4, length))
  let state = Math.imul(id + 1, 0x9e3779b1) ^ key.length
  for (let i = 4; i < value.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    value[i] = id % 2 === 0 && i >= 36 ? value[i - 32]! : state >>> 16
  }
  value.writeUInt32LE(id, 0)
  return value
}
