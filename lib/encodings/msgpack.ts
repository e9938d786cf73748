/**
 * The one wrapper of msgpackr: MessagePack as an encoding of values.
 *
 * The package is an optional one, loaded when somebody first asks for it. Without its records each value holds all that
 * it takes to read it. A key `__proto__` of a map comes back as `__proto_`: no value reaches a prototype.
 */
import { createRequire } from 'node:module'
import type * as Msgpackr from 'msgpackr'
import { invalidArgument, WiscError } from '../base/errors.ts'
import { requireDescriptors } from '../base/platform/node-descriptors.ts'
import type { Encoding } from '../contract/encodings.ts'

/** More than loading it takes at a time. */
const DESCRIPTORS_TO_LOAD = 8

let encoding: Encoding<unknown> | undefined

/** @throws WISC_CODEC_UNAVAILABLE if the package is not installed */
export function msgpackEncoding(): Encoding<unknown> {
  encoding ??= createEncoding()
  return encoding
}

function createEncoding(): Encoding<unknown> {
  const { Packr } = load()
  // Bytes inside of a value are copied: what is read may share its memory with other results.
  const packr = new Packr({ useRecords: false, moreTypes: true, copyBuffers: true })
  return {
    encode: (value) => {
      // It would be packed as undefined.
      if (typeof value === 'function') throw invalidArgument('a function is no value')
      return packr.pack(value)
    },
    decode: (bytes) => packr.unpack(bytes),
  }
}

function load(): typeof Msgpackr {
  // That there is no descriptor to load it with must not be taken for that it is not there.
  requireDescriptors(DESCRIPTORS_TO_LOAD)
  try {
    return createRequire(import.meta.url)('msgpackr') as typeof Msgpackr
  } catch (error) {
    throw new WiscError(
      'WISC_CODEC_UNAVAILABLE',
      "'msgpack' takes the package msgpackr, install it",
      {
        cause: error,
      },
    )
  }
}
