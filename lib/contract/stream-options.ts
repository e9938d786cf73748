/** Options of streams that are put and read. */
import type { ValuePart } from '../../vlog/value-chunks.ts'
import { invalidArgument } from '../base/errors.ts'
import { partOf, writeSync } from './arguments.ts'
import { checkSignal, integer, plainObject, refuseUnknown } from './checks.ts'
import { EXPIRY_NAMES, expiryOf } from './expiry.ts'
import type { ExpiryOptions, GetStreamOptions, PutStreamOptions, SnapshotOptions } from './types.ts'

/** People expect it, since `put` takes one. */
const NO_COMPRESSION =
  'putStream takes no compression: a stream is stored as it comes; compress its source, or put the value'

export interface ResolvedPutStream {
  readonly sync: boolean
  readonly expiresAt: number
  readonly signal: AbortSignal | undefined
  readonly size: number | undefined
}

export function resolvePutStream(
  options: PutStreamOptions | undefined,
  standardSync: boolean,
): ResolvedPutStream {
  const given = plainObject(options === undefined ? {} : options, 'options of putStream')
  if ('compression' in given) throw invalidArgument(NO_COMPRESSION)
  refuseUnknown(given, ['sync', 'if', 'signal', 'size', ...EXPIRY_NAMES], 'putStream')
  const { signal, size, sync } = given as PutStreamOptions
  return {
    sync: writeSync(sync === undefined ? undefined : { sync }, standardSync),
    expiresAt: expiryOf(given as ExpiryOptions, 'options'),
    signal: checkSignal(signal),
    size: size === undefined ? undefined : integer('size', size, 0, Number.MAX_SAFE_INTEGER),
  }
}

export interface ResolvedGetStream {
  readonly at: SnapshotOptions | undefined
  readonly signal: AbortSignal | undefined
  readonly part: ValuePart
}

export function resolveGetStream(options: GetStreamOptions | undefined): ResolvedGetStream {
  const given = plainObject(options === undefined ? {} : options, 'options of getStream')
  const { signal, ...rest } = given as GetStreamOptions
  const { snapshot } = rest
  return {
    at: snapshot && { snapshot },
    signal: checkSignal(signal),
    part: partOf(rest) ?? { offset: 0, length: Number.MAX_SAFE_INTEGER },
  }
}
