/**
 * Builds data blocks, one after the other in the same memory. The bytes are drawn in
 * block-format.ts. Data plane.
 */
import { copyRange, LOOP_COPY_BYTES, writeU32 } from '../../base/bytes.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { VARINT_BYTES_MAX, writeVarint } from '../../base/varint.ts'
import { type Entry, KIND } from '../entry.ts'
import { EXPIRES_TAG } from './block-format.ts'
import { RESTART_INTERVAL_ENTRIES, TRAILER_BYTES } from './table-format.ts'

/** The most that an entry takes beside its key and inline value: seven varints and the tag. */
export const ENTRY_OVERHEAD_BYTES_MAX: number = 7 * VARINT_BYTES_MAX + 1
/** What it takes as a rule. */
const ENTRY_OVERHEAD_BYTES = 14

export class BlockBuilder {
  readonly #content: GrowingBytes
  #restarts: Uint32Array = new Uint32Array(64)
  #restartCount = 0
  /** Entries that still go without a restart. */
  #entriesUntilRestart = 0

  constructor(blockBytes: number) {
    this.#content = new GrowingBytes(blockBytes + 1024)
  }

  /** The memory of the block, from index 0 on; replaced when it grows. */
  get bytes(): Uint8Array {
    return this.#content.bytes
  }

  get isEmpty(): boolean {
    return this.#restartCount === 0
  }

  /** About what the content will take. */
  get estimatedBytes(): number {
    return this.#content.length + 4 * this.#restartCount + 4
  }

  /** About what an entry adds. */
  static entryBytes(keyLength: number, inlineLength: number): number {
    return keyLength + inlineLength + ENTRY_OVERHEAD_BYTES
  }

  /**
   * Adds an entry.
   * @param common bytes that its key shares with the entry before it
   * @param distance of its sequence from the base sequence
   * @param segmentIndex for kind pointer: the place of its segment in the references
   */
  add(entry: Entry, common: number, distance: number, segmentIndex: number): void {
    const { kind, keyBytes, keyEnd } = entry
    let shared = common
    if (this.#entriesUntilRestart === 0) {
      shared = 0
      this.#addRestart()
    }
    this.#entriesUntilRestart--
    const keyStart = entry.keyStart + shared
    const unshared = keyEnd - keyStart
    const inlineLength = kind === KIND.inline ? entry.valueEnd - entry.valueStart : 0
    const content = this.#content
    content.reserve(unshared + inlineLength + ENTRY_OVERHEAD_BYTES_MAX)

    const { bytes } = content
    let at = content.length
    if (shared < 128) bytes[at++] = shared
    else at = writeVarint(bytes, at, shared)
    if (unshared < 128) bytes[at++] = unshared
    else at = writeVarint(bytes, at, unshared)
    bytes[at++] = tagOf(entry)
    at = writeVarint(bytes, at, distance)
    if (unshared > LOOP_COPY_BYTES) {
      copyRange(keyBytes, keyStart, keyEnd, bytes, at)
      at += unshared
    } else for (let from = keyStart; from < keyEnd; from++) bytes[at++] = keyBytes[from]!
    content.length = writePayload(bytes, at, entry, segmentIndex)
  }

  /**
   * Writes the restarts behind the entries, and leaves room for the trailer.
   * @returns the length of the content, which lies in `bytes` until the next `add`; the builder is
   * empty then
   */
  finish(): number {
    const content = this.#content
    content.reserve(4 * this.#restartCount + 4 + TRAILER_BYTES)
    let at = content.length
    for (let i = 0; i < this.#restartCount; i++, at += 4) {
      writeU32(content.bytes, at, this.#restarts[i]!)
    }
    writeU32(content.bytes, at, this.#restartCount)
    content.length = 0
    this.#restartCount = 0
    this.#entriesUntilRestart = 0
    return at + 4
  }

  #addRestart(): void {
    if (this.#restartCount === this.#restarts.length) {
      const grown = new Uint32Array(this.#restarts.length * 2)
      grown.set(this.#restarts)
      this.#restarts = grown
    }
    this.#restarts[this.#restartCount++] = this.#content.length
    this.#entriesUntilRestart = RESTART_INTERVAL_ENTRIES
  }
}

/** What an entry has in front of its sequence. */
function tagOf({ kind, expiresAt }: Entry): number {
  return expiresAt === 0 || kind === KIND.tombstone ? kind : kind | EXPIRES_TAG
}

/**
 * Writes what lies behind the key of an entry. Requires: room for it.
 * @param segmentIndex for kind pointer: the place of its segment in the references
 * @returns where it ends
 */
export function writePayload(
  bytes: Uint8Array,
  at: number,
  entry: Entry,
  segmentIndex: number,
): number {
  if (entry.kind === KIND.tombstone) return at
  const payloadAt = entry.expiresAt === 0 ? at : writeVarint(bytes, at, entry.expiresAt)
  if (entry.kind === KIND.pointer) {
    const offsetAt = writeVarint(bytes, payloadAt, segmentIndex)
    const lengthAt = writeVarint(bytes, offsetAt, entry.offset)
    return writeVarint(bytes, lengthAt, entry.length)
  }
  const inlineLength = entry.valueEnd - entry.valueStart
  const valueAt = writeVarint(bytes, payloadAt, inlineLength)
  copyRange(entry.valueBytes, entry.valueStart, entry.valueEnd, bytes, valueAt)
  return valueAt + inlineLength
}
