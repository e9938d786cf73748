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
import { BLOCK_BYTES, Holes } from '../files/content.ts'
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

/** The bytes of a file, and which of its blocks are holes. */
interface Stored {
  readonly bytes: Uint8Array
  readonly holes: Holes
}

/** What every file holds that has pending changes, as the choice leaves it. */
function contentsOf(
  model: DiskModel,
  pending: readonly Pending[],
  choice: Choice,
  prng: Prng,
): Map<number, Stored> {
  const contents = new Map<number, Stored>()
  const changes = new Map<number, Change[]>()
  for (const [index, one] of pending.entries()) {
    if (!('change' in one)) continue
    const { node, change } = one
    const list = changes.get(node) ?? []
    changes.set(node, list)
    if (!choice.persist(index)) continue
    if (change.kind === 'punch') {
      list.push(...punched(change, choice.punched?.index === index ? choice.punched : undefined))
    } else {
      const torn = choice.torn?.index === index ? choice.torn : undefined
      const bytes = torn ? tearing(model, node, change, torn, prng) : change.bytes
      list.push({ position: change.position, length: bytes.length, bytes })
    }
  }
  for (const [node, list] of changes) contents.set(node, changed(model, node, list))
  return contents
}

/** A write, or a punch if it has no bytes. */
interface Change {
  readonly position: number
  readonly length: number
  readonly bytes: Uint8Array | undefined
}

function* punched(
  { position, length }: PendingPunch,
  choice: Choice['punched'],
): Generator<Change> {
  if (choice === undefined) {
    yield { position, length, bytes: undefined }
    return
  }
  for (let block = 0; block * BLOCK_BYTES < length; block++) {
    if (!choice.holds(block)) continue
    yield { position: position + block * BLOCK_BYTES, length: BLOCK_BYTES, bytes: undefined }
  }
}

function changed(model: DiskModel, node: number, changes: readonly Change[]): Stored {
  const { durable } = model.file(node)
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

function imageOf(
  model: DiskModel,
  names: ReadonlyMap<number, ReadonlyMap<string, number>>,
  contents: ReadonlyMap<number, Stored>,
): DiskImage {
  const directories: string[] = []
  const files = new Map<string, Uint8Array>()
  const holes = new Map<string, readonly number[]>()
  visit(names, (path, node, isDirectory) => {
    if (isDirectory) {
      directories.push(path)
      return
    }
    const { durable } = model.file(node)
    const stored = contents.get(node) ?? { bytes: durable.view(), holes: durable.holes }
    files.set(path, stored.bytes)
    if (stored.holes.bytes > 0) holes.set(path, stored.holes.blocks)
  })
  return { directories, files, holes }
}

/** Hashes of images; what is durable is hashed once. */
class Hashes {
  readonly #durable: Map<number, { size: number; edits: number; hash: string }> = new Map()

  of(
    model: DiskModel,
    names: ReadonlyMap<number, ReadonlyMap<string, number>>,
    contents: ReadonlyMap<number, Stored>,
  ): string {
    let text = ''
    visit(names, (path, node, isDirectory) => {
      text += `${path}\n`
      if (isDirectory) return
      const stored = contents.get(node)
      text += `${stored ? hashOf(stored) : this.#durableHash(model, node)}\n`
    })
    return hashOfBytes(Buffer.from(text))
  }

  #durableHash(model: DiskModel, node: number): string {
    const { durable } = model.file(node)
    const { size, edits, holes } = durable
    const known = this.#durable.get(node)
    if (known?.size === size && known.edits === edits) return known.hash
    const hash = hashOf({ bytes: durable.view(), holes })
    this.#durable.set(node, { size, edits, hash })
    return hash
  }
}

function hashOf({ bytes, holes }: Stored): string {
  return holes.bytes === 0 ? hashOfBytes(bytes) : `${hashOfBytes(bytes)} holes ${holes.blocks}`
}

function hashOfBytes(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return `${bytes.length}.${xxhash.XXHash3.hash(view).toString('base64')}`
}
