/** Checks of what callers pass, in one place, before anything happens. */

import { types } from 'node:util'
import { RECORD_KIND, type RecordKind } from '../../vlog/record.ts'
import type { ValuePart } from '../../vlog/value-chunks.ts'
import { compareBytes, copyBytes, lengthOf, NO_BYTES } from '../base/bytes.ts'
import { invalidArgument, toWiscError, WiscError } from '../base/errors.ts'
import { KEY_BYTES_MAX } from '../tree/entry.ts'
import { checkSignal, integer, plainObject, refuseUnknown } from './checks.ts'
import { EXPIRY_NAMES, expiryOf } from './expiry.ts'
import { mustBe, notBytes, shown } from './given.ts'
import { compression } from './options.ts'
import type {
  CompactOptions,
  Key,
  KeyRange,
  Listed,
  ListOptions,
  PutOptions,
  RangeOptions,
  ReadOptions,
  SignalOptions,
  SnapshotOptions,
  Value,
  WriteOptions,
} from './types.ts'

/** The bytes of a key. A passed array is used as it is. */
export function keyBytes(key: Key, name = 'key'): Uint8Array {
  const bytes = toBytes(key, name)
  const length = lengthOf(bytes)
  if (length > KEY_BYTES_MAX) {
    throw invalidArgument(`${name} is too long length=${length} max=${KEY_BYTES_MAX}`)
  }
  return bytes
}

/** The bytes of several keys. */
export function keyList(keys: unknown): Uint8Array[] {
  if (!Array.isArray(keys)) throw invalidArgument(mustBe('an array', 'keys', keys))
  return Array.from(keys, (key: Key, i) => keyBytes(key, `keys[${i}]`))
}

/** The bytes of a value. A passed array is used as it is. */
export function valueBytes(value: Value, name = 'value'): Uint8Array {
  const bytes = toBytes(value, name)
  const length = lengthOf(bytes)
  if (length > VALUE_BYTES_MAX) {
    throw invalidArgument(`${name} is too long length=${length} max=${VALUE_BYTES_MAX}`)
  }
  return bytes
}

/** A read of the platform can return no more in one piece. */
const VALUE_BYTES_MAX = 2 ** 31 - 1

function toBytes(value: unknown, name: string): Uint8Array {
  if (typeof value === 'string') return value.length === 0 ? NO_BYTES : Buffer.from(value, 'utf8')
  // Not `instanceof`: an array of another realm is one, too.
  if (!types.isUint8Array(value)) throw invalidArgument(notBytes(name, value))
  if (lengthOf(value) > 0) return value
  if (isGone(value)) {
    throw invalidArgument(`${name} has no memory: its buffer was transferred, or made smaller`)
  }
  return NO_BYTES
}

/** True if an array without bytes once had some: methods refuse it, `length` says 0. */
function isGone(bytes: Uint8Array): boolean {
  try {
    Uint8Array.prototype.indexOf.call(bytes, 0)
    return false
  } catch {
    return true
  }
}

/** One put or delete as a caller passes it, checked, as bytes. */
export interface Given {
  readonly kind: RecordKind
  /** Of a range that is deleted, where it begins. */
  readonly key: Uint8Array
  /** NO_BYTES for a delete, and whatever is empty. Of a range that is deleted, the first key behind it, if any is. */
  readonly value: Uint8Array
  /** Whether the value may be stored compressed; undefined: as the store says. */
  readonly compresses?: boolean | undefined
  /** Milliseconds since 1970; 0: it never expires. */
  readonly expiresAt?: number
}

const PUT_PARTS = ['type', 'key', 'value', 'compression', ...EXPIRY_NAMES]

/** One part of a batch. */
export function checkOperation(operation: unknown, index: number): Given {
  const name = `operations[${index}]`
  const given = plainObject(operation, name)
  const { type } = given
  if (type === 'deleteRange') return deletedRange(given, name, ['type', ...RANGE_NAMES])
  if (type !== 'put' && type !== 'delete') {
    throw invalidArgument(
      `${name}.type must be 'put', 'delete' or 'deleteRange', not ${shown(type)}`,
    )
  }
  refuseUnknown(given, type === 'put' ? PUT_PARTS : ['type', 'key'], name)
  const key = keyBytes(given['key'] as Key, `${name}.key`)
  if (type === 'delete') return { kind: RECORD_KIND.delete, key, value: NO_BYTES }
  const value = valueBytes(given['value'] as Value, `${name}.value`)
  const codec = given['compression']
  const compresses = codec === undefined ? undefined : compression(codec, 'none') !== 'none'
  return { kind: RECORD_KIND.put, key, value, compresses, expiresAt: expiryOf(given, name) }
}

const NO_OPTIONS = Object.freeze({})

const WRITE_NAMES = ['sync', 'if']
const PUT_NAMES = [...WRITE_NAMES, 'compression', ...EXPIRY_NAMES]

/** The option `sync`; `if` is taken by lib/contract/conditions.ts. */
export function writeSync(
  options: WriteOptions | undefined,
  standard: boolean,
  names: readonly string[] = WRITE_NAMES,
): boolean {
  if (options === undefined) return standard
  refuseUnknown(plainObject(options, 'write options'), names, 'write')
  const sync = options.sync
  if (sync === undefined) return standard
  if (typeof sync !== 'boolean') throw invalidArgument(mustBe('a boolean', 'sync', sync))
  return sync
}

/** The options of a put. */
export function putSettings(
  options: PutOptions | undefined,
  standard: { readonly sync: boolean; readonly compression: 'none' | 'zstd' },
): { readonly sync: boolean; readonly compresses: boolean; readonly expiresAt: number } {
  const sync = writeSync(options, standard.sync, PUT_NAMES)
  const codec = compression(options?.compression, standard.compression)
  const expiresAt = options === undefined ? 0 : expiryOf(options, 'options')
  return { sync, compresses: codec !== 'none', expiresAt }
}

export function checkSnapshotOptions(options: SnapshotOptions): void {
  refuseUnknown(plainObject(options, 'read options'), ['snapshot'], 'read')
}

/** The part that is asked for: undefined for the whole value. */
export function partOf(options: ReadOptions): ValuePart | undefined {
  const given = plainObject(options, 'read options') as ReadOptions
  refuseUnknown(given, ['snapshot', 'offset', 'length'], 'read')
  const { offset, length } = given
  if (offset === undefined && length === undefined) return undefined
  return {
    offset: offset === undefined ? 0 : integer('offset', offset, 0, Number.MAX_SAFE_INTEGER),
    length:
      length === undefined || length === Number.POSITIVE_INFINITY
        ? Number.MAX_SAFE_INTEGER
        : integer('length', length, 0, Number.MAX_SAFE_INTEGER),
  }
}

/** Takes `withSequence` out of the options of a get. */
export function takeWithSequence(options: ReadOptions & { readonly withSequence?: unknown }): {
  readonly withSequence: boolean
  readonly rest: ReadOptions
} {
  const { withSequence, ...rest } = plainObject(options, 'read options')
  if (typeof withSequence === 'boolean') return { withSequence, rest }
  throw invalidArgument(mustBe('a boolean', 'withSequence', withSequence))
}

/** Takes the signal out of the options of a read that may last for long. */
export function takeSignal(options: (SnapshotOptions & SignalOptions) | undefined): {
  readonly signal: AbortSignal | undefined
  readonly rest: SnapshotOptions | undefined
} {
  if (options === undefined) return { signal: undefined, rest: undefined }
  const { signal, ...rest } = plainObject(options, 'read options')
  return { signal: checkSignal(signal), rest }
}

/** A range with its ends as bytes: `lower` inclusive or not, `upper` inclusive or not, undefined for open ends. */
export interface ResolvedRange {
  readonly lower: Uint8Array | undefined
  readonly lowerOpen: boolean
  readonly upper: Uint8Array | undefined
  readonly upperOpen: boolean
}

const RANGE_NAMES = ['prefix', 'gt', 'gte', 'lt', 'lte']
const SCAN_NAMES = [...RANGE_NAMES, 'reverse', 'limit', 'snapshot', 'signal', 'highWaterMarkBytes']

/** @throws WISC_INVALID_ARGUMENT for contradictory ends; a lower end above the upper one is an empty range */
function resolveKeyRange(range: KeyRange): ResolvedRange {
  const { prefix, gt, gte, lt, lte } = range
  if (gt !== undefined && gte !== undefined) throw invalidArgument('range has both gt and gte')
  if (lt !== undefined && lte !== undefined) throw invalidArgument('range has both lt and lte')
  // Not `??`: null is no key, and no open end either.
  const lower = gt === undefined ? gte : gt
  const upper = lt === undefined ? lte : lt
  // A copy: the ends live as long as the iterator.
  const ends = {
    lower: lower === undefined ? undefined : copyBytes(keyBytes(lower)),
    lowerOpen: gt !== undefined,
    upper: upper === undefined ? undefined : copyBytes(keyBytes(upper)),
    upperOpen: lt !== undefined,
  }
  return prefix === undefined ? ends : withinPrefix(ends, copyBytes(keyBytes(prefix, 'prefix')))
}

/** The part of a range whose keys begin with a prefix. */
function withinPrefix(
  { lower, lowerOpen, upper, upperOpen }: ResolvedRange,
  prefix: Uint8Array,
): ResolvedRange {
  const behind = firstKeyBehind(prefix)
  const keepsLower = lower !== undefined && compareBytes(lower, prefix) >= 0
  const keepsUpper =
    upper !== undefined && (behind === undefined || compareBytes(upper, behind) < 0)
  return {
    lower: keepsLower ? lower : prefix,
    lowerOpen: keepsLower && lowerOpen,
    upper: keepsUpper ? upper : behind,
    upperOpen: keepsUpper ? upperOpen : behind !== undefined,
  }
}

/** The smallest key above all that begin with the prefix; undefined if there is none: above 0xff...ff lies nothing. */
function firstKeyBehind(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.findLastIndex((byte) => byte !== 0xff)
  if (last < 0) return undefined
  const key = copyBytes(prefix, 0, last + 1)
  key[last]!++
  return key
}

/**
 * The keys of a range that is to be deleted, from one on and below another.
 * @throws WISC_INVALID_ARGUMENT where no key can lie in it, or nothing is said of it, by an empty prefix neither: that
 *   is a mistake as a rule
 */
export function deletedRange(
  range: unknown,
  name = 'range',
  known: readonly string[] = RANGE_NAMES,
): Given {
  const given = plainObject(range, name)
  refuseUnknown(given, known, name)
  // Read once: what answers them may be code of the caller.
  const ends = RANGE_NAMES.map((end) => [end, given[end]] as const)
  if (ends.every(([end, key]) => key === undefined || (end === 'prefix' && isEmptyKey(key)))) {
    throw invalidArgument(`${name} has no end: { gte: '' } is all keys`)
  }
  const {
    lower = NO_BYTES,
    lowerOpen,
    upper,
    upperOpen,
  } = resolveKeyRange(Object.fromEntries(ends) as KeyRange)
  const start = lowerOpen ? keyBehind(lower) : lower
  const end = upper === undefined || upperOpen ? upper : keyBehind(upper)
  if (start === undefined || (end !== undefined && compareBytes(start, end) >= 0)) {
    throw invalidArgument(`${name} is empty: no key lies in it`)
  }
  return { kind: RECORD_KIND.deleteRange, key: start, value: end ?? NO_BYTES }
}

function isEmptyKey(key: unknown): boolean {
  return key === '' || (key instanceof Uint8Array && key.length === 0)
}

/** The next key in the order of keys; undefined behind the last one. */
function keyBehind(key: Uint8Array): Uint8Array | undefined {
  if (key.length >= KEY_BYTES_MAX) return firstKeyBehind(key)
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** The range of compact(): names of ends only. */
export function resolveCompactRange(range: KeyRange | undefined): ResolvedRange {
  const given = plainObject(range === undefined ? NO_OPTIONS : range, 'range')
  refuseUnknown(given, RANGE_NAMES, 'the range of compact')
  return resolveKeyRange(given as KeyRange)
}

export interface ResolvedScan extends ResolvedRange {
  readonly reverse: boolean
  readonly limit: number
  readonly signal: AbortSignal | undefined
  readonly highWaterMarkBytes: number
}

export function resolveScan(options: RangeOptions | undefined): ResolvedScan {
  const range = plainObject(options === undefined ? NO_OPTIONS : options, 'range') as RangeOptions
  refuseUnknown(range, SCAN_NAMES, 'range')
  const { reverse = false, limit, signal, highWaterMarkBytes = 1024 * 1024 } = range
  if (typeof reverse !== 'boolean') throw invalidArgument(mustBe('a boolean', 'reverse', reverse))
  const unlimited = limit === undefined || limit === Number.POSITIVE_INFINITY
  return {
    ...resolveKeyRange(range),
    reverse,
    limit: unlimited
      ? Number.MAX_SAFE_INTEGER
      : integer('limit', limit, 0, Number.MAX_SAFE_INTEGER),
    signal: checkSignal(signal),
    highWaterMarkBytes: integer(
      'highWaterMarkBytes',
      highWaterMarkBytes,
      1,
      Number.MAX_SAFE_INTEGER,
    ),
  }
}

/** Takes out of the options of a listing what it gives of values. */
export function takeListed(options: ListOptions<keyof Listed> | undefined): {
  readonly listed: keyof Listed
  readonly range: RangeOptions | undefined
} {
  if (options === undefined) return { listed: 'buffer', range: undefined }
  const { values: listed = 'buffer', ...range } = plainObject(options, 'range')
  if (listed !== 'stat' && listed !== 'buffer' && listed !== 'stream')
    throw invalidArgument(`values must be 'buffer', 'stat' or 'stream', not ${shown(listed)}`)
  return { listed, range }
}

/** True if no key can lie in the range. */
export function isEmptyRange(range: ResolvedRange): boolean {
  const { lower, upper } = range
  if (lower === undefined || upper === undefined) return false
  const order = compareBytes(lower, upper)
  return order > 0 || (order === 0 && (range.lowerOpen || range.upperOpen))
}

/** @throws WISC_ABORTED if its signal has fired */
export function checkCompactOptions(options: CompactOptions): CompactOptions {
  refuseUnknown(plainObject(options, 'options'), ['signal', 'onProgress'], 'compact')
  const { onProgress } = options
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalidArgument(mustBe('a function', 'onProgress', onProgress))
  throwIfAborted(checkSignal(options.signal))
  return options
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new WiscError('WISC_ABORTED', 'the operation was aborted', { cause: signal.reason })
  }
}

/** Work of many parts that a signal ends, in whichever it fires: the caller is told its reason. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (toWiscError(error).code === 'WISC_ABORTED') throwIfAborted(signal)
    throw error
  }
}
