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
 *  10 a punch of which only some blocks became holes
 *
 * What persists is chosen in crash-choices.ts. Equal images are told by a hash over names, bytes and holes, so
 * that each is looked at once. Source: ALICE (Pillai et al., OSDI
 * 2014) for 3 to 5; RELIABILITY rules of the project for the rest.
 */
import xxhash from 'xxhash-addon'
import { BLOCK_BYTES, type Content, Holes } from '../files/content.ts'
import {
  applyName,
  type DiskImage,
  DiskModel,
  type FileNode,
  type Operation,
  type PendingPunch,
  type PendingWrite,
  type Profile,
  ROOT,
} from '../files/disk-model.ts'
import { loadImage } from '../files/visible-disk.ts'
import { Prng } from '../random.ts'
import {
  type Choice,
  type ChoiceOptions,
  choicesOf,
  type Missing,
  type Pending,
} from './crash-choices.ts'

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

export interface CrashStateOptions extends ChoiceOptions {
  readonly seed: number
  readonly profile?: Profile
}

/** All states of a recorded run. Images may be equal: compare hashes. */
export function* crashStates(
  base: DiskImage,
  log: readonly Operation[],
  options: CrashStateOptions,
): Generator<CrashState> {
  for (const states of crashMoments(base, log, options)) yield* states
}

/** The states of each moment of a recorded run. Their images are to be had until the next moment is asked for. */
export function* crashMoments(
  base: DiskImage,
  log: readonly Operation[],
  options: CrashStateOptions,
): Generator<Generator<CrashState>> {
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
      yield statesAt(model, step, mark, prng, hashes, options)
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
  const trees = new Trees(model, pending)
  hashes.beginMoment()
  for (const choice of choicesOf(pending, prng, options)) {
    const complete = choice.label === 'everything'
    const changes = changesOf(model, pending, choice, fill)
    const tree = trees.of(choice)
    yield {
      hash: hashes.of(model, tree, changes),
      step,
      choice: choice.label,
      mark,
      complete,
      image: () => imageOf(model, tree, changes),
    }
  }
}

function pendingOf(model: DiskModel): Pending[] {
  const pending: Pending[] = []
  for (const [node, content] of model.nodes) {
    if (content.kind === 'file') {
      for (const change of content.pending) pending.push({ node, change })
    } else {
      for (const name of content.pending) pending.push({ node, name })
    }
  }
  return pending.sort((left, right) => orderOf(left) - orderOf(right))
}

function orderOf(pending: Pending): number {
  return 'change' in pending ? pending.change.order : pending.name.order
}

/** A write, or a punch if it has no bytes. */
interface Change {
  readonly position: number
  readonly length: number
  readonly bytes: Uint8Array | undefined
  /** Names a pending change that persisted in whole. */
  readonly whole?: string
}

/** What persisted for each file, as the choice leaves it, in order. Files of which nothing did are left out. */
function changesOf(
  model: DiskModel,
  pending: readonly Pending[],
  choice: Choice,
  prng: Prng,
): Map<number, Change[]> {
  const changes = new Map<number, Change[]>()
  for (const [index, one] of pending.entries()) {
    if (!('change' in one) || !choice.persist(index)) continue
    const { node, change } = one
    const list = changes.get(node) ?? []
    changes.set(node, list)
    const { position } = change
    if (choice.torn?.index === index && change.kind === 'write') {
      const bytes = tearing(model, node, change, choice.torn, prng)
      list.push({ position, length: bytes.length, bytes })
    } else if (choice.punched?.index === index && change.kind === 'punch') {
      list.push(...punched(change, choice.punched))
    } else {
      const bytes = change.kind === 'write' ? change.bytes : undefined
      const length = change.kind === 'write' ? change.bytes.length : change.length
      list.push({ position, length, bytes, whole: `${change.order}.${length}` })
    }
  }
  return changes
}

function* punched(
  { position, length }: PendingPunch,
  { holds }: NonNullable<Choice['punched']>,
): Generator<Change> {
  for (let block = 0; block * BLOCK_BYTES < length; block++) {
    if (!holds(block)) continue
    yield { position: position + block * BLOCK_BYTES, length: BLOCK_BYTES, bytes: undefined }
  }
}

/** The bytes of a file, and which of its blocks are holes. */
interface Stored {
  readonly bytes: Uint8Array
  readonly holes: Holes
}

/** What a file holds. */
function storedOf(model: DiskModel, node: number, changes: readonly Change[] | undefined): Stored {
  const { durable } = model.file(node)
  return changes ? changed(durable, changes) : { bytes: durable.view(), holes: durable.holes }
}

function changed(durable: Content, changes: readonly Change[]): Stored {
  let size = durable.size
  for (const { position, bytes } of changes) {
    if (bytes) size = Math.max(size, position + bytes.length)
  }
  const content = new Uint8Array(size)
  const holes = new Holes(durable.holes.blocks)
  content.set(durable.view())
  for (const { position, length, bytes } of changes) {
    if (bytes) {
      content.set(bytes, position)
      holes.fill(position, length)
    } else {
      content.fill(0, position, position + length)
      holes.punch(position, Math.min(length, Math.max(0, size - position)))
    }
  }
  return { bytes: content, holes }
}

function tearing(
  model: DiskModel,
  node: number,
  write: PendingWrite,
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

interface Entry {
  readonly path: string
  readonly node: number
  readonly isDirectory: boolean
}

/** The trees of names that may be left at one moment: most choices differ in the bytes of files alone. */
class Trees {
  readonly #model: DiskModel
  readonly #pending: readonly Pending[]
  readonly #names: readonly number[]
  readonly #known: Map<string, readonly Entry[]> = new Map()

  constructor(model: DiskModel, pending: readonly Pending[]) {
    this.#model = model
    this.#pending = pending
    this.#names = [...pending.keys()].filter((index) => 'name' in pending[index]!)
  }

  /** All paths, as the choice leaves them, in an order that depends on the names alone. */
  of(choice: Choice): readonly Entry[] {
    const persisting = this.#names.filter((index) => choice.persist(index))
    const key = `${persisting} ${choice.both}`
    const known = this.#known.get(key)
    if (known) return known
    const entries = entriesOf(this.#namesOf(persisting, choice))
    this.#known.set(key, entries)
    return entries
  }

  /** The names of every directory. */
  #namesOf(persisting: readonly number[], choice: Choice): Map<number, Map<string, number>> {
    const names = new Map<number, Map<string, number>>()
    for (const [node, content] of this.#model.nodes) {
      if (content.kind === 'directory') names.set(node, new Map(content.durable))
    }
    for (const index of persisting) {
      const one = this.#pending[index] as Extract<Pending, { name: unknown }>
      applyName(names.get(one.node)!, one.name.operation, choice.both === index)
    }
    return names
  }
}

function entriesOf(
  names: ReadonlyMap<number, ReadonlyMap<string, number>>,
  node: number = ROOT,
  path: string = '',
): Entry[] {
  const entries: Entry[] = [{ path: path || '/', node, isDirectory: true }]
  for (const [name, child] of [...names.get(node)!].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const childPath = `${path}/${name}`
    if (names.has(child)) entries.push(...entriesOf(names, child, childPath))
    else entries.push({ path: childPath, node: child, isDirectory: false })
  }
  return entries
}

function imageOf(
  model: DiskModel,
  tree: readonly Entry[],
  changes: ReadonlyMap<number, readonly Change[]>,
): DiskImage {
  const directories: string[] = []
  const files = new Map<string, Uint8Array>()
  const holes = new Map<string, readonly number[]>()
  for (const { path, node, isDirectory } of tree) {
    if (isDirectory) {
      directories.push(path)
      continue
    }
    const stored = storedOf(model, node, changes.get(node))
    files.set(path, stored.bytes)
    if (stored.holes.bytes > 0) holes.set(path, stored.holes.blocks)
  }
  return { directories, files, holes }
}

/** Hashes of images. The contents of a file are hashed once, whichever choices they come of. */
class Hashes {
  readonly #known: Map<string, string> = new Map()
  /** Of files as they are durable: most choices change few. */
  readonly #unchanged: Map<number, string> = new Map()

  /** What is durable may be something else now. */
  beginMoment(): void {
    this.#unchanged.clear()
  }

  of(
    model: DiskModel,
    tree: readonly Entry[],
    changes: ReadonlyMap<number, readonly Change[]>,
  ): string {
    let text = ''
    for (const { path, node, isDirectory } of tree) {
      text += isDirectory
        ? `${path}\n`
        : `${path}\n${this.#hashOf(model, node, changes.get(node))}\n`
    }
    return hashOfBytes(Buffer.from(text, 'latin1'))
  }

  #hashOf(model: DiskModel, node: number, changes: readonly Change[] | undefined): string {
    if (changes === undefined) {
      const found = this.#unchanged.get(node) ?? this.#hashKnown(model, node, undefined)
      this.#unchanged.set(node, found)
      return found
    }
    // What was torn or punched in part will hardly come again.
    return changes.some(({ whole }) => whole === undefined)
      ? hashOf(storedOf(model, node, changes))
      : this.#hashKnown(model, node, changes)
  }

  #hashKnown(model: DiskModel, node: number, changes: readonly Change[] | undefined): string {
    const { size, edits } = model.file(node).durable
    const key = `${node} ${size} ${edits} ${changes?.map(({ whole }) => whole)}`
    const hash = this.#known.get(key) ?? hashOf(storedOf(model, node, changes))
    this.#known.set(key, hash)
    return hash
  }
}

/** Equal for equal images. */
export function hashOfImage({ directories, files, holes }: DiskImage): string {
  let text = `${[...directories].sort()}\n`
  for (const path of [...files.keys()].sort()) {
    text += `${path} ${hashOfBytes(files.get(path)!)} ${holes?.get(path)}\n`
  }
  return hashOfBytes(Buffer.from(text))
}

function hashOf({ bytes, holes }: Stored): string {
  return holes.bytes === 0 ? hashOfBytes(bytes) : `${hashOfBytes(bytes)} holes ${holes.blocks}`
}

function hashOfBytes(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return `${bytes.length}.${xxhash.XXHash3.hash(view).toString('base64')}`
}
