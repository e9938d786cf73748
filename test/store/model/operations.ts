/** The operations of the model test, and how fast-check makes them. */
import fc from 'fast-check'
import { REFUSED_WAYS } from './refused.ts'

export interface ModelRange {
  /** Indexes into {@link KEYS}. */
  readonly lower: number | undefined
  readonly lowerOpen: boolean
  readonly upper: number | undefined
  readonly upperOpen: boolean
  readonly reverse: boolean
  readonly limit: number | undefined
}

export interface ModelWrite {
  readonly key: number
  /** Bytes of the value; undefined for a delete. */
  readonly length: number | undefined
  /** Of a put, in milliseconds. */
  readonly ttl?: number | undefined
  /** The other end of a range that is deleted, which may lie before the key; both ends are. */
  readonly to?: number | undefined
}

/** How `collect` is called. */
export interface ModelCollect {
  readonly kind: 'collect'
  readonly target: number | undefined
  readonly maxCopyBytes: number | undefined
  /** Of the files of `segments()`, in turn: taken or not. */
  readonly segments: readonly boolean[] | undefined
  /** Aborted after so many turns of the event loop. */
  readonly abortAfter: number | undefined
  readonly way: 'alone' | 'by a plan' | 'by a plan that may be stale' | 'beside writes and reads'
  readonly writes: readonly ModelWrite[]
}

/** Several writes that one transaction makes, or updates, and a range that it reads behind them. */
export interface ModelTransaction {
  readonly kind: 'transaction'
  readonly way: 'async' | 'sync' | 'updates'
  readonly writes: readonly ModelWrite[]
  readonly range: ModelRange
}

/** What a follower beside the store does, while the disk changes under it. */
export interface ModelFollow {
  readonly kind: 'follow'
  /** Of what the writer has done since the last one: so much is there at once. */
  readonly share: number
  /**
   * The disk is another one before each so many-th call; 0: it stands still. Or all that is left comes when something
   * is asked of the value log: what the manifest said is old by then.
   */
  readonly pace: number | 'behind the manifest'
  /** The call that the system refuses, if any. */
  readonly refused: number | undefined
  readonly way:
    | 'look'
    | 'gets'
    | 'getMany'
    | 'entries'
    | 'take snapshot'
    | 'read snapshots'
    | 'stats'
    | 'verify'
    | 'write'
}

export type ModelOperation =
  | ModelCollect
  | ModelTransaction
  | ModelFollow
  /** @property writes some come before it in the same turn, some behind it */
  | {
      readonly kind: 'refused'
      readonly way: string
      readonly key: number
      readonly length: number
      readonly writes: readonly ModelWrite[]
    }
  | { readonly kind: 'write'; readonly writes: readonly ModelWrite[]; readonly sync: boolean }
  /** @property fails the source does, behind its first half @property beside come before it in its group */
  | {
      readonly kind: 'putStream'
      readonly key: number
      readonly length: number
      readonly ttl: number | undefined
      readonly sync: boolean
      readonly fails: boolean
      readonly beside: readonly ModelWrite[]
    }
  | { readonly kind: 'touch'; readonly key: number; readonly ttl: number }
  /** Time goes on. */
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'concurrent'; readonly writes: readonly ModelWrite[] }
  /** Keys one behind the other, so many that scans remember where there is nothing. */
  | { readonly kind: 'deleteRun'; readonly first: number; readonly count: number }
  | { readonly kind: 'get' | 'getSync' | 'has'; readonly key: number }
  | { readonly kind: 'getMany'; readonly keys: readonly number[] }
  | {
      readonly kind: 'scan'
      readonly what: 'entries' | 'keys' | 'values'
      readonly range: ModelRange
    }
  | { readonly kind: 'snapshot' }
  | {
      readonly kind: 'readSnapshot'
      readonly which: number
      readonly key: number
      readonly range: ModelRange
    }
  | { readonly kind: 'closeSnapshot'; readonly which: number }
  | { readonly kind: 'iterator'; readonly range: ModelRange }
  | {
      readonly kind: 'step'
      readonly which: number
      readonly count: number
      readonly many: boolean
    }
  | { readonly kind: 'seek'; readonly which: number; readonly key: number }
  | { readonly kind: 'closeIterator'; readonly which: number }
  | { readonly kind: 'compact'; readonly range: ModelRange | undefined }
  | { readonly kind: 'turns'; readonly count: number }
  | {
      readonly kind:
        | 'sync'
        | 'flush'
        | 'reopen'
        | 'kill'
        | 'verify'
        | 'accounting'
        | 'pauseCollector'
        | 'resumeCollector'
    }

/** Few keys, so that they meet often; ones that are hard for prefixes and order among them. */
export const KEYS: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from([0]),
  Buffer.from([0, 0]),
  Buffer.from([0xff]),
  Buffer.from([0xff, 0xff]),
  Buffer.from([0x7f, 0x80]),
  Buffer.alloc(300, 'long'),
  Buffer.concat([Buffer.alloc(300, 'long'), Buffer.from([0])]),
  ...Array.from({ length: 24 }, (_, i) => Buffer.from(`key/${i}`)),
].sort(Buffer.compare)

const key = fc.nat(KEYS.length - 1)
const length = fc.oneof(
  { weight: 6, arbitrary: fc.nat(80) },
  { weight: 3, arbitrary: fc.integer({ min: 900, max: 1200 }) },
  { weight: 2, arbitrary: fc.integer({ min: 3000, max: 9000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 1023, 1024, 8192, 8193, 65536, 65537, 70000) },
)
const ttl = fc.constantFrom(1, 10, 10, 50, 1000)
const deleteRange: fc.Arbitrary<ModelWrite> = fc.record({
  key,
  length: fc.constant(undefined),
  to: key,
})
const writeOne: fc.Arbitrary<ModelWrite> = fc.oneof(
  {
    weight: 7,
    arbitrary: fc.record({
      key,
      length: fc.oneof(
        { weight: 3, arbitrary: length },
        { weight: 1, arbitrary: fc.constant(undefined) },
      ),
      ttl: fc.option(ttl, { nil: undefined, freq: 1 }),
    }),
  },
  { weight: 1, arbitrary: deleteRange },
)
const bound = fc.option(key, { nil: undefined, freq: 2 })
const range: fc.Arbitrary<ModelRange> = fc.record({
  lower: bound,
  lowerOpen: fc.boolean(),
  upper: bound,
  upperOpen: fc.boolean(),
  reverse: fc.boolean(),
  limit: fc.option(fc.nat(12), { nil: undefined, freq: 1 }),
})
const which = fc.nat(3)

const writeMany = fc.array(writeOne, { minLength: 2, maxLength: 8 })

const operation: fc.Arbitrary<ModelOperation> = fc.oneof(
  weighted(24, {
    kind: fc.constant('write'),
    writes: fc.array(writeOne, { minLength: 1, maxLength: 4 }),
    sync: fc.boolean(),
  }),
  weighted(6, {
    kind: fc.constant('concurrent'),
    writes: writeMany,
  }),
  weighted(5, {
    kind: fc.constant('putStream'),
    key,
    length,
    ttl: fc.option(ttl, { nil: undefined, freq: 1 }),
    sync: fc.boolean(),
    fails: fc.oneof(
      { weight: 5, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
    beside: fc.array(fc.oneof(writeOne, deleteRange), { maxLength: 2 }),
  }),
  weighted(7, {
    kind: fc.constant('refused'),
    way: fc.constantFrom(...REFUSED_WAYS),
    key,
    length,
    writes: fc.array(writeOne, { maxLength: 4 }),
  }),
  weighted(8, {
    kind: fc.constant('transaction'),
    way: fc.constantFrom('async', 'sync', 'updates'),
    writes: fc.array(writeOne, { maxLength: 5 }),
    range,
  }),
  weighted(4, {
    kind: fc.constant('deleteRun'),
    first: fc.nat(12),
    count: fc.integer({ min: 16, max: KEYS.length }),
  }),
  weighted(3, { kind: fc.constant('touch'), key, ttl }),
  weighted(6, { kind: fc.constant('pass'), ms: fc.constantFrom(1, 5, 10, 40, 1000) }),
  weighted(8, { kind: fc.constantFrom('get', 'getSync', 'has'), key }),
  weighted(3, { kind: fc.constant('getMany'), keys: fc.array(key, { maxLength: 6 }) }),
  weighted(8, {
    kind: fc.constant('scan'),
    what: fc.constantFrom('entries', 'keys', 'values'),
    range,
  }),
  weighted(3, { kind: fc.constant('snapshot') }),
  weighted(4, { kind: fc.constant('readSnapshot'), which, key, range }),
  weighted(2, { kind: fc.constant('closeSnapshot'), which }),
  weighted(3, { kind: fc.constant('iterator'), range }),
  weighted(6, {
    kind: fc.constant('step'),
    which,
    count: fc.integer({ min: 1, max: 6 }),
    many: fc.boolean(),
  }),
  weighted(3, { kind: fc.constant('seek'), which, key }),
  weighted(1, { kind: fc.constant('closeIterator'), which }),
  weighted(3, { kind: fc.constant('compact'), range: fc.option(range, { nil: undefined }) }),
  weighted(8, { kind: fc.constantFrom('sync', 'flush', 'flush', 'reopen', 'kill', 'verify') }),
  weighted(5, {
    kind: fc.constant('collect'),
    target: fc.constantFrom(undefined, 1, 1, 1.02, 1.5),
    maxCopyBytes: fc.option(fc.constantFrom(0, 4096, 65536), { nil: undefined, freq: 1 }),
    segments: fc.option(fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }), {
      nil: undefined,
      freq: 1,
    }),
    abortAfter: fc.option(fc.nat(30), { nil: undefined, freq: 1 }),
    way: fc.constantFrom(
      'alone',
      'by a plan',
      'by a plan that may be stale',
      'beside writes and reads',
    ),
    writes: writeMany,
  }),
  weighted(4, { kind: fc.constant('turns'), count: fc.integer({ min: 1, max: 40 }) }),
  weighted(2, { kind: fc.constantFrom('accounting', 'pauseCollector', 'resumeCollector') }),
)

function weighted(
  weight: number,
  model: { readonly [name: string]: fc.Arbitrary<unknown> },
): { weight: number; arbitrary: fc.Arbitrary<ModelOperation> } {
  // The fields above spell one member of the union; fast-check's types cannot tell which.
  return { weight, arbitrary: fc.record(model) as fc.Arbitrary<ModelOperation> }
}

const follow = weighted(0, {
  kind: fc.constant('follow'),
  share: fc.constantFrom(0, 0.1, 0.5, 1),
  pace: fc.constantFrom(0, 1, 2, 5, 'behind the manifest', 'behind the manifest'),
  refused: fc.option(fc.nat(40), { nil: undefined, freq: 1 }),
  way: fc.constantFrom(
    'look',
    'look',
    'gets',
    'getMany',
    'entries',
    'take snapshot',
    'read snapshots',
    'stats',
    'verify',
    'write',
  ),
}).arbitrary

function listOf(one: fc.Arbitrary<ModelOperation>): fc.Arbitrary<ModelOperation[]> {
  return fc.array(one, { minLength: 1, maxLength: 100, size: 'max' })
}

export const MODEL_OPERATIONS: fc.Arbitrary<ModelOperation[]> = listOf(operation)
/** For a store that is followed. */
export const FOLLOWED_OPERATIONS: fc.Arbitrary<ModelOperation[]> = listOf(
  fc.oneof({ weight: 2, arbitrary: operation }, { weight: 1, arbitrary: follow }),
)
