/** Randomness, behind an interface so that tests can replay a run from its seed. */
import { randomFillSync } from 'node:crypto'
import { readU32 } from './bytes.ts'

export interface Random {
  /** Fresh random bytes, owned by the caller. */
  bytes(length: number): Uint8Array
}

export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
}

/** A random unsigned 32-bit integer. */
export function randomU32(random: Random): number {
  return readU32(random.bytes(4), 0)
}
