/**
 * The states in which a power cut may leave a disk, for every moment of a recorded run.
 *
 * The run's log is played again on a DiskModel; behind each step that changes the disk the generator lists
 * what may have persisted of the pending operations:
 *
 *   1 nothing  2 everything  3 every prefix  4 each one missing  5 each one alone  6 random subsets
 *   7 a write torn at every 512 and 4096 boundary and at one random byte, what is missing being old bytes, zeros,
 *     garbage or stale bytes of the log  8 a write that extended the file with zeros alone
 *   9 a rename of which both names persisted
 *
 * Equal images are told by a hash over names and bytes, so that each is looked at once. Writes are torn in full
 * when they have just begun, and by a random choice at later moments. Source: ALICE (Pillai et al., OSDI
 * 2014) for 3 to 5; RELIABILITY rules of the project for the rest.
 */
import xxhash from 'xxhash-addon'
import {
  applyName,
  type DiskImage,
  DiskModel,
  type FileNode,
  type Operation,
  type PendingName,
  type PendingWrite,
  type Profile,
  ROOT,
} from './disk-model.ts'
import { Prng } from './random.ts'
import { loadImage } from './visible-disk.ts'

export interface CrashState {
  /** Equal for equal images. */
  readonly hash: string
  /** The step of the log behind which the power went. */
  readonly step: number
  /** What was chosen, for messages. */
  readonly choice: string
  /** The last mark of the workload before this moment. */
  readonly mark: unknown
  /** True if every operation that was complete persisted in whole: what a killed process leaves. */
  readonly complete: boolean
  image(): DiskImage
}

export interface CrashStateOptions {
  readonly seed: number
  readonly profile?: Profile
  /** Random subsets at each moment. Default 3. */
  readonly subsets?: number
  /** Torn variants of a write that has just begun, at most. Default 24. */
  readonly tornOfNew?: number
  /** Torn variants of older pending writes at each moment, in all. Default 2. */
  readonly tornOfOld?: number
}

/** How much of one pending write persists: all of it, or `bytes` in place of its own. */
interface Choice {
  readonly label: string
  /** By index into the pending list. */
  readonly persist: (index: number) => boolean
  /** The write with this index is replaced by what was torn out of it. */
  readonly torn?: { readonly index: number; readonly cut: number; readonly missing: Missing }
  /** The rename with this index leaves its source. */
  readonly both?: number
}

const MISSING = ['old', 'zeros', 'garbage', 'stale'] as const
type Missing = (typeof MISSING)[number]

type Pending =
  | { readonly node: number; readonly write: PendingWrite }
  | { readonly node: number; readonly name: PendingName }

/** All states of a recorded run, moment by moment. Images may be equal: compare hashes. */
export function* crashStates(
  base: DiskImage,
  log: readonly Operation[],
  options: CrashStateOptions,
): Generator<CrashState> {
  const model = new DiskModel(options.profile)
  loadImage(base, model)
  const prng = new Prng(options.seed)
  const hashes = new Hashes()
  let mark: unknown
  let changed = true
  for (let step = 0; step <= log.length; step++) {
    const operation = log[step]
    // States differ only where something became pending or durable. A mark raises what the same states must satisfy.
    if (changed || operation?.kind === 'mark' || operation === undefined) {
      yield* statesAt(model, step, mark, prng, hashes, options)
    }
    if (operation === undefined) return
    if (operation.kind === 'mark') mark = operation.mark
    else model.apply(operation)
    changed = operation.kind !== 'syncBegin' && operation.kind !== 'syncDirectoryBegin'
  }
}

/** The states in which a power cut at this moment may leave the disk. */
export function crashStatesNow(
  model: DiskModel,
  options: CrashStateOptions,
): Generator<CrashState> {
  return statesAt(model, 0, undefined, new Prng(options.seed), new Hashes(), options)
}

function* statesAt(
  model: DiskModel,
  step: number,
  mark: unknown,
  prng: Prng,
  hashes: Hashes,
  options: CrashStateOptions,
): Generator<CrashState> {
  const pending = pendingOf(model)
  const fill = prng.fork()
  for (const choice of choicesOf(pending, prng, options)) {
    const complete = choice.label === 'everything'
    const contents = contentsOf(model, pending, choice, fill)
    const names = namesOf(model, pending, choice)
    yield {
      hash: hashes.of(model, names, contents),
      step,
      choice: choice.label,
      mark,
      complete,
      image: () => imageOf(model, names, contents),
    }
  }
}

function pendingOf(model: DiskModel): Pending[] {
  const pending: Pending[] = []
  for (const [node, content] of model.nodes) {
    if (content.kind === 'file') for (const write of content.pending) pending.push({ node, write })
    else for (const name of content.pending) pending.push({ node, name })
  }
  return pending.sort((left, right) => orderOf(left) - orderOf(right))
}

function orderOf(pending: Pending): number {
  return 'write' in pending ? pending.write.order : pending.name.order
}

function* choicesOf(
  pending: readonly Pending[],
  prng: Prng,
  options: CrashStateOptions,
): Generator<Choice> {
  const count = pending.length
  yield { label: 'nothing', persist: () => false }
  if (count === 0) return
  yield { label: 'everything', persist: () => true }
  for (let i = 1; i < count; i++) yield { label: `first ${i} of ${count}`, persist: (at) => at < i }
  for (let i = 0; i < count; i++) {
    yield { label: `all but ${i} of ${count}`, persist: (at) => at !== i }
    yield { label: `only ${i} of ${count}`, persist: (at) => at === i }
  }
  if (count > 2) {
    for (let i = options.subsets ?? 3; i > 0; i--) {
      const kept = pending.map(() => prng.chance(0.5))
      yield { label: `subset of ${count}`, persist: (at) => kept[at]! }
    }
  }
  for (const [index, one] of pending.entries()) {
    if ('name' in one && one.name.operation.kind === 'rename') {
      yield { label: `rename ${index} with both names`, persist: () => true, both: index }
    }
  }
  yield* tornChoices(pending, prng, options)
}

function* tornChoices(
  pending: readonly Pending[],
  prng: Prng,
  options: CrashStateOptions,
): Generator<Choice> {
  const writes = [...pending.keys()].filter((index) => {
    const one = pending[index]!
    return 'write' in one && one.write.bytes.length > 0
  })
  const last = pending.length - 1
  if (writes.at(-1) === last) {
    const all: Choice[] = []
    for (const cut of cutsOf(pending[last]!, prng)) {
      for (const missing of MISSING) all.push(torn(last, cut, missing, last))
    }
    yield* sample(all, options.tornOfNew ?? 24, prng)
  }
  for (let i = writes.length > 1 ? (options.tornOfOld ?? 2) : 0; i > 0; i--) {
    const index = prng.pick(writes)
    const cut = prng.pick(cutsOf(pending[index]!, prng))
    yield torn(index, cut, prng.pick(MISSING), prng.chance(0.5) ? index : last)
  }
}

/** A torn write, with everything before it and what comes up to `through`. */
function torn(index: number, cut: number, missing: Missing, through: number): Choice {
  const label = `write ${index} torn after ${cut} bytes, rest ${missing}, first ${through + 1} persist`
  return { label, persist: (at) => at <= through, torn: { index, cut, missing } }
}

/** Where a write may tear: sector and page boundaries of the file, nothing of it at all, one random byte. */
function cutsOf(pending: Pending, prng: Prng): number[] {
  if (!('write' in pending)) return []
  const { position, bytes } = pending.write
  const cuts = new Set<number>([0, prng.below(bytes.length)])
  const step = bytes.length > 16384 ? 4096 : 512
  for (
    let at = Math.floor(position / step) * step + step;
    at < position + bytes.length;
    at += step
  ) {
    cuts.add(at - position)
  }
  return [...cuts]
}

function* sample<T>(items: T[], count: number, prng: Prng): Generator<T> {
  for (let left = Math.min(count, items.length); left > 0; left--) {
    const at = prng.below(items.length)
    yield items[at]!
    items[at] = items.at(-1)!
    items.pop()
  }
}

/** The bytes of every file that has pending writes, as the choice leaves them. */
function contentsOf(
  model: DiskModel,
  pending: readonly Pending[],
  choice: Choice,
  prng: Prng,
): Map<number, Uint8Array> {
  const contents = new Map<number, Uint8Array>()
  const writes = new Map<number, { position: number; bytes: Uint8Array }[]>()
  for (const [index, one] of pending.entries()) {
    if (!('write' in one)) continue
    const list = writes.get(one.node) ?? []
    writes.set(one.node, list)
    if (!choice.persist(index)) continue
    const { position, bytes } = one.write
    const isTorn = choice.torn?.index === index
    list.push({ position, bytes: isTorn ? tearing(model, one, choice.torn!, prng) : bytes })
  }
  for (const [node, list] of writes) {
    const durable = (model.nodes.get(node) as FileNode).durable.view()
    let size = durable.length
    for (const { position, bytes } of list) size = Math.max(size, position + bytes.length)
    const content = new Uint8Array(size)
    content.set(durable)
    for (const { position, bytes } of list) content.set(bytes, position)
    contents.set(node, content)
  }
  return contents
}

function tearing(
  model: DiskModel,
  { node, write }: Extract<Pending, { write: PendingWrite }>,
  { cut, missing }: { cut: number; missing: Missing },
  prng: Prng,
): Uint8Array {
  const kept = write.bytes.subarray(0, cut)
  if (missing === 'old') return kept
  const bytes = new Uint8Array(write.bytes.length)
  if (missing === 'garbage') bytes.set(prng.bytes(bytes.length))
  if (missing === 'stale') {
    const durable = (model.nodes.get(node) as FileNode).durable.view()
    // Blocks that held something else before: here what the file itself holds from its start on.
    for (let at = 0; durable.length > 0 && at < bytes.length; at += durable.length) {
      bytes.set(durable.subarray(0, bytes.length - at), at)
    }
  }
  bytes.set(kept)
  return bytes
}

/** The names of every directory, as the choice leaves them. */
function namesOf(
  model: DiskModel,
  pending: readonly Pending[],
  choice: Choice,
): Map<number, Map<string, number>> {
  const names = new Map<number, Map<string, number>>()
  for (const [node, content] of model.nodes) {
    if (content.kind === 'directory') names.set(node, new Map(content.durable))
  }
  for (const [index, one] of pending.entries()) {
    if ('name' in one && choice.persist(index)) {
      applyName(names.get(one.node)!, one.name.operation, choice.both === index)
    }
  }
  return names
}

/** Calls back for every path, in an order that depends on the names alone. */
function visit(
  names: ReadonlyMap<number, ReadonlyMap<string, number>>,
  found: (path: string, node: number, isDirectory: boolean) => void,
  node: number = ROOT,
  path: string = '',
): void {
  found(path || '/', node, true)
  for (const [name, child] of [...names.get(node)!].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (names.has(child)) visit(names, found, child, `${path}/${name}`)
    else found(`${path}/${name}`, child, false)
  }
}

function bytesOf(
  model: DiskModel,
  node: number,
  contents: ReadonlyMap<number, Uint8Array>,
): Uint8Array {
  return contents.get(node) ?? (model.nodes.get(node) as FileNode).durable.view()
}

function imageOf(
  model: DiskModel,
  names: ReadonlyMap<number, ReadonlyMap<string, number>>,
  contents: ReadonlyMap<number, Uint8Array>,
): DiskImage {
  const directories: string[] = []
  const files = new Map<string, Uint8Array>()
  visit(names, (path, node, isDirectory) => {
    if (isDirectory) directories.push(path)
    else files.set(path, bytesOf(model, node, contents))
  })
  return { directories, files }
}

/** Hashes of images; what is durable is hashed once. */
class Hashes {
  readonly #durable: Map<number, { size: number; hash: string }> = new Map()

  of(
    model: DiskModel,
    names: ReadonlyMap<number, ReadonlyMap<string, number>>,
    contents: ReadonlyMap<number, Uint8Array>,
  ): string {
    let text = ''
    visit(names, (path, node, isDirectory) => {
      text += `${path}\n`
      if (isDirectory) return
      const bytes = contents.get(node)
      text += `${bytes ? hashOf(bytes) : this.#durableHash(model, node)}\n`
    })
    return hashOf(Buffer.from(text))
  }

  #durableHash(model: DiskModel, node: number): string {
    const bytes = (model.nodes.get(node) as FileNode).durable.view()
    const known = this.#durable.get(node)
    if (known?.size === bytes.length) return known.hash
    const hash = hashOf(bytes)
    this.#durable.set(node, { size: bytes.length, hash })
    return hash
  }
}

function hashOf(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return `${bytes.length}.${xxhash.XXHash3.hash(view).toString('base64')}`
}
