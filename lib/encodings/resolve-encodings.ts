/** From what a caller says of encodings to functions of bytes, whose errors are the store's own. */
import { isUtf8 } from 'node:buffer'
import { invalidArgument, WiscError } from '../base/errors.ts'
import { plainObject, refuseUnknown } from '../contract/checks.ts'
import type { Encoding, Encodings } from '../contract/encodings.ts'
import { mustBe, shown } from '../contract/given.ts'
import type { Value } from '../contract/types.ts'
import { msgpackEncoding } from './msgpack.ts'
import { decodeTuple, encodeTuple } from './tuple.ts'

/** An encoding whose values are of any type: what a view says of them the compiler has checked. */
export interface ResolvedEncoding {
  /** @param name what it is, for the error @throws WISC_INVALID_ARGUMENT */
  readonly encode: (value: unknown, name: string) => Value
  readonly decode: (bytes: Buffer) => unknown
  /** The encoding of a part of a value is the beginning of the value's. */
  readonly hasBeginnings: boolean
}

export interface ResolvedEncodings {
  readonly key: ResolvedEncoding
  readonly value: ResolvedEncoding
}

// biome-ignore lint/suspicious/noExplicitAny: each checks what it is given
type AnyEncoding = Encoding<any, unknown>

interface KnownEncoding {
  readonly get: () => AnyEncoding
  readonly isForValues: boolean
  readonly hasBeginnings: boolean
}

const BINARY: AnyEncoding = { encode: (value) => value, decode: (bytes) => bytes }
const UTF8: AnyEncoding = { encode: encodeText, decode: decodeText }
const JSON_TEXT: AnyEncoding = {
  encode: (value) => JSON.stringify(value),
  decode: (bytes) => JSON.parse(decodeText(bytes)),
}
const TUPLE: AnyEncoding = { encode: encodeTuple, decode: decodeTuple }

const KNOWN: Readonly<Record<string, KnownEncoding>> = {
  binary: { get: () => BINARY, isForValues: true, hasBeginnings: true },
  utf8: { get: () => UTF8, isForValues: true, hasBeginnings: true },
  json: { get: () => JSON_TEXT, isForValues: true, hasBeginnings: false },
  msgpack: { get: msgpackEncoding, isForValues: true, hasBeginnings: false },
  tuple: { get: () => TUPLE, isForValues: false, hasBeginnings: true },
}

/** @throws WISC_INVALID_ARGUMENT; WISC_CODEC_UNAVAILABLE for one whose package is not installed */
export function resolveEncodings(encodings: Encodings): ResolvedEncodings {
  const given = plainObject(encodings, 'encodings')
  refuseUnknown(given, ['key', 'value'], 'with')
  return {
    key: resolveEncoding(given['key'], 'key', Object.keys(KNOWN)),
    value: resolveEncoding(
      given['value'],
      'value',
      Object.keys(KNOWN).filter((name) => KNOWN[name]!.isForValues),
    ),
  }
}

function resolveEncoding(given: unknown, what: string, names: readonly string[]): ResolvedEncoding {
  if (given === undefined) return guarded(BINARY, what, 'binary', true)
  if (typeof given !== 'string') return guarded(ownEncoding(given, what), what, 'own', false)
  if (!names.includes(given)) {
    const known = names.map((name) => `'${name}'`).join(', ')
    throw invalidArgument(`the encoding of a ${what} must be one of ${known}, not ${shown(given)}`)
  }
  const { get, hasBeginnings } = KNOWN[given]!
  return guarded(get(), what, given, hasBeginnings)
}

function ownEncoding(given: unknown, what: string): AnyEncoding {
  const { encode, decode } = plainObject(given, `the encoding of a ${what}`)
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw invalidArgument(`the encoding of a ${what} must have functions encode and decode`)
  }
  return given as AnyEncoding
}

/** What a missing key gives cannot be a value, too; and the cause of what fails stays visible. */
function guarded(
  encoding: AnyEncoding,
  what: string,
  label: string,
  hasBeginnings: boolean,
): ResolvedEncoding {
  return {
    encode: (value, name) => {
      if (value === undefined) throw invalidArgument(`${name} must not be undefined`)
      try {
        return encoding.encode(value)
      } catch (error) {
        // Our own words say which part of it; those of others are the cause.
        const why = error instanceof WiscError ? `: ${error.message}` : ''
        throw failed(`${name} cannot be encoded encoding=${label}${why}`, error)
      }
    },
    decode: (bytes) => {
      let found: unknown
      try {
        found = encoding.decode(bytes)
      } catch (error) {
        throw failed(`a ${what} was written with another encoding encoding=${label}`, error)
      }
      // It would say that nothing is there.
      if (found === undefined) throw invalidArgument(`decode has given undefined encoding=${label}`)
      return found
    },
    hasBeginnings,
  }
}

function failed(message: string, cause: unknown): WiscError {
  return new WiscError('WISC_INVALID_ARGUMENT', message, { cause })
}

function encodeText(text: unknown): string {
  if (typeof text !== 'string') throw invalidArgument(mustBe('a string', 'text', text))
  // Two of them would become the same bytes.
  if (LONE_SURROGATE.test(text)) throw invalidArgument('the string has a lone surrogate')
  return text
}

const LONE_SURROGATE = /\p{Surrogate}/u

function decodeText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw invalidArgument('the bytes are no UTF-8')
  return bytes.toString('utf8')
}
