/**
 * What may persist of the pending operations of a disk when the power goes (the numbers are crash-states.ts's):
 * whole operations in every prefix, each one missing, each one alone, random subsets; parts of writes and punches.
 *
 * A change is taken apart in full when it has just been asked for, and by a random choice at later moments.
 */
import { BLOCK_BYTES } from '../files/content.ts'
import type { PendingName, PendingPunch, PendingWrite } from '../files/disk-model.ts'
import type { Prng } from '../random.ts'

export interface ChoiceOptions {
  /** Random subsets at each moment. Default 3. */
  readonly subsets?: number
  /** Variants of a write or punch that has just begun and persists in part, at most. Default 24. */
  readonly tornOfNew?: number
  /** Such variants of older ones at each moment, in all. Default 2. */
  readonly tornOfOld?: number
}

export interface Choice {
  readonly label: string
  /** By index into the pending list. */
  readonly persist: (index: number) => boolean
  /** The write with this index is replaced by what was torn out of it. */
  readonly torn?: { readonly index: number; readonly cut: number; readonly missing: Missing }
  /** Of the punch with this index only these blocks became holes, counted from its own first one. */
  readonly punched?: { readonly index: number; readonly holds: (block: number) => boolean }
  /** The rename with this index leaves its source. */
  readonly both?: number
}

const MISSING = ['old', 'zeros', 'garbage', 'stale'] as const
export type Missing = (typeof MISSING)[number]

/** What may persist or not; `change` is of a file's bytes. */
export type Pending =
  | { readonly node: number; readonly change: PendingWrite | PendingPunch }
  | { readonly node: number; readonly name: PendingName }

export function* choicesOf(
  pending: readonly Pending[],
  prng: Prng,
  options: ChoiceOptions,
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
  options: ChoiceOptions,
): Generator<Choice> {
  const divisible = [...pending.keys()].filter((index) => isDivisible(pending[index]!))
  const last = pending.length - 1
  if (divisible.at(-1) === last) {
    yield* sample(partsOf(pending, last, prng), options.tornOfNew ?? 24, prng)
  }
  for (let i = divisible.length > 1 ? (options.tornOfOld ?? 2) : 0; i > 0; i--) {
    const index = prng.pick(divisible)
    const { change } = pending[index] as Extract<Pending, { change: unknown }>
    if (change.kind === 'write') {
      const cut = prng.pick(cutsOf(change, prng))
      yield torn(index, cut, prng.pick(MISSING), prng.chance(0.5) ? index : last)
    } else {
      const variant = prng.pick(blockSetsOf(change, prng))
      yield inPart(index, variant, prng.chance(0.5) ? index : last)
    }
  }
}

function isDivisible(pending: Pending): boolean {
  if (!('change' in pending)) return false
  const { change } = pending
  return change.kind === 'write' ? change.bytes.length > 0 : change.length > BLOCK_BYTES
}

/** Every way in which a pending change may persist in part, behind all the others. */
function partsOf(pending: readonly Pending[], index: number, prng: Prng): Choice[] {
  const { change } = pending[index] as Extract<Pending, { change: unknown }>
  if (change.kind === 'punch') {
    return blockSetsOf(change, prng).map((variant) => inPart(index, variant, index))
  }
  return cutsOf(change, prng).flatMap((cut) =>
    MISSING.map((missing) => torn(index, cut, missing, index)),
  )
}

interface BlockSet {
  readonly label: string
  readonly holds: (block: number) => boolean
}

/** Which blocks of a punch may have become holes: each alone, each missing, random ones. */
function blockSetsOf({ length }: PendingPunch, prng: Prng): BlockSet[] {
  const sets: BlockSet[] = []
  const count = length / BLOCK_BYTES
  for (let one = 0; one < count; one++) {
    sets.push({ label: `only block ${one}`, holds: (block) => block === one })
    sets.push({ label: `all but block ${one}`, holds: (block) => block !== one })
    const some = Array.from({ length: count }, () => prng.chance(0.5))
    sets.push({ label: 'random blocks', holds: (block) => some[block]! })
  }
  return sets
}

/** A punch that happened in part, with everything before it and what comes up to `through`. */
function inPart(index: number, { label, holds }: BlockSet, through: number): Choice {
  return {
    label: `punch ${index} of ${label}, first ${through + 1} persist`,
    persist: (at) => at <= through,
    punched: { index, holds },
  }
}

/** A torn write, with everything before it and what comes up to `through`. */
function torn(index: number, cut: number, missing: Missing, through: number): Choice {
  const label = `write ${index} torn after ${cut} bytes, rest ${missing}, first ${through + 1} persist`
  return { label, persist: (at) => at <= through, torn: { index, cut, missing } }
}

/** Where a write may tear: sector and page boundaries of the file, nothing of it at all, one random byte. */
function cutsOf({ position, bytes }: PendingWrite, prng: Prng): number[] {
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
