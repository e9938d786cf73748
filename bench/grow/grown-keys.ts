/**
 * Keys and values of a store that grows: key n is the same whatever the size, and lies anywhere in the key space, so
 * that what is added falls between all that is there. Values carry the number of their key.
 */
import { Random } from '../harness/data-set.ts'

/** Bytes of every key: two numbers in hexadecimal digits. */
export const GROWN_KEY_BYTES = 16

/** Values are slices of so many random bytes, at places of their own. */
const SOURCE_BYTES = 16 * 1024 * 1024
const PLACE_STRIDE = 1_048_583

export class GrownKeys {
  readonly valueBytes: number
  readonly #source: Buffer

  constructor(valueBytes: number, seed: number) {
    this.valueBytes = valueBytes
    const random = new Random(seed)
    const words = Uint32Array.from({ length: (SOURCE_BYTES + valueBytes) / 4 + 1 }, () =>
      random.next(),
    )
    this.#source = Buffer.from(words.buffer)
  }

  key(number: number): Buffer {
    return Buffer.from(hex(scattered(number)) + hex(number), 'latin1')
  }

  /** Right beside the key of a number, and never there. */
  missingKey(number: number): Buffer {
    return Buffer.from(`${hex(scattered(number))}${hex(number)}`.slice(0, -1).concat('x'), 'latin1')
  }

  /** @param put another number for each value */
  value(number: number, put: number): Buffer {
    const value = Buffer.allocUnsafe(this.valueBytes)
    const at = (put * PLACE_STRIDE) % SOURCE_BYTES
    this.#source.copy(value, 0, at, at + this.valueBytes)
    value.writeUInt32LE(number, 0)
    return value
  }

  /** @throws Error unless it is a value of this number */
  check(number: number, value: Uint8Array | undefined): void {
    const isRight =
      value?.length === this.valueBytes && Buffer.from(value).readUInt32LE(0) === number
    if (!isRight) throw new Error(`the store returned a wrong value number=${number}`)
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0')
}

/** Each 32-bit number has another one (the finalizer of MurmurHash3). */
function scattered(number: number): number {
  let x = number
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
