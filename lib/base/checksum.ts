/**
 * Checksums: the one importer of xxhash-addon.
 *
 * checksum(bytes) is CRC-32 (zlib's polynomial, check value cbf43926) below 2 KiB and the low 32 bits
 * of XXH3-64 (seed 0) from there on: a call into the addon costs more than the CRC of a small range,
 * and a tenth of it for a large one. The limit is a part of every format.
 */
import { createRequire } from 'node:module'
import { crc32 } from 'node:zlib'
import type * as Xxhash from 'xxhash-addon'

/** Required, not imported: an import of CommonJS has its names looked for first, which takes twice as long. */
const xxhash = createRequire(import.meta.url)('xxhash-addon') as typeof Xxhash

/** Ranges of at least this many bytes are hashed with XXH3. Part of the formats: never change it. */
export const XXH3_FROM_BYTES = 2048

/** 32-bit checksum of bytes (a view over shared memory is fine). The length is covered by no one: store it apart. */
export function checksum(bytes: Uint8Array): number {
  if (bytes.length < XXH3_FROM_BYTES) return crc32(bytes)
  // The addon crashes the process on anything but a buffer or view: the type above is the guard.
  const digest = xxhash.XXHash3.hash(bytes as Buffer)
  return ((digest[4]! << 24) | (digest[5]! << 16) | (digest[6]! << 8) | digest[7]!) >>> 0
}

/** CRC-32 of bytes that continues from an earlier one, for ranges that do not lie together. */
export function crc32From(previous: number, bytes: Uint8Array): number {
  return crc32(bytes, previous)
}
