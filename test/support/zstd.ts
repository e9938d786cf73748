/** Zstandard for tests, by whichever library is there; those that need one are skipped where none is. */

import zlib from 'node:zlib'
import { packageZstd, platformZstd, type Zstd } from '#dist/lib/base/zstd.js'

export const LIBRARIES: readonly Zstd[] = [packageZstd(), platformZstd(zlib)].filter(
  (library) => library !== undefined,
)
export const HAS_ZSTD: boolean = LIBRARIES.length > 0

/** Documents such as people store: `bytes` of JSON, other ones for each seed. */
export function documents(bytes: number, seed: number): Buffer {
  const lines: string[] = []
  let length = 0
  for (let i = 0; length < bytes; i++) {
    const id = seed * 1000 + i
    const score = ((i * 2_654_435_761 + seed * 97) >>> 7) % 100_000
    const line = JSON.stringify({
      id,
      name: `user ${(id * 7919) % 997}`,
      score,
      tags: [`a${i % 13}`],
    })
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join('')).subarray(0, bytes)
}
