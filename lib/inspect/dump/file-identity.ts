/**
 * The headers that begin files, read with more patience than the store has: a damaged one still tells what it can, for
 * what follows may prove itself.
 */
import { readU32, readU64 } from '../../base/bytes.ts'
import { CorruptionError, isNewerVersion, toWiscError, type WiscError } from '../../base/errors.ts'
import {
  FILE_HEADER_BYTES,
  FILE_KIND,
  type FileIdentity,
  type FileKind,
  readFileHeader,
} from '../../base/files/file-header.ts'
import type { FileNumber } from '../../base/ids.ts'
import { damageItem, FieldReader, type Item } from './items.ts'

export interface FoundIdentity {
  /** As the bytes say, right or not; undefined if there are too few or the kind is none. */
  readonly identity: FileIdentity | undefined
  /** What is wrong with them. */
  readonly error: WiscError | undefined
}

/** The kind that a header names. */
export function kindOf(head: Uint8Array): FileKind | undefined {
  const kinds = Object.entries(FILE_KIND) as [FileKind, number][]
  return head.length < FILE_HEADER_BYTES
    ? undefined
    : kinds.find(([, number]) => number === head[10])?.[0]
}

/**
 * @param number what the file's name says; undefined to believe the header
 * @param databaseId undefined to believe the header
 */
export function findIdentity(
  head: Uint8Array,
  name: string,
  number: FileNumber | undefined,
  databaseId: Uint8Array | undefined,
): FoundIdentity {
  const kind = kindOf(head)
  if (kind === undefined) {
    return { identity: undefined, error: kindError(head, name) }
  }
  const said = number ?? readU64(head, 48)
  try {
    const identity = readFileHeader(head, name, { kind, number: said, databaseId })
    return { identity, error: undefined }
  } catch (error) {
    const identity = {
      kind,
      databaseId: databaseId ?? head.slice(16, 32),
      number: said,
      salt: readU32(head, 56),
    }
    return { identity, error: toWiscError(error) }
  }
}

/** What is wrong with a header that names no kind. */
function kindError(head: Uint8Array, name: string): WiscError {
  try {
    // One that proves itself is of a newer version.
    readFileHeader(head, name, { kind: 'segment', number: 0, databaseId: undefined })
  } catch (error) {
    if (isNewerVersion(error)) return toWiscError(error)
  }
  const isShort = head.length < FILE_HEADER_BYTES
  const reason = isShort ? 'file header is cut off' : 'file is of no known kind'
  return new CorruptionError(name, isShort ? 0 : 10, reason)
}

/** The header as an item, and what is wrong with it as another. */
export function* headerItems(head: Uint8Array, error: WiscError | undefined): Generator<Item> {
  if (head.length >= FILE_HEADER_BYTES) {
    const reader = new FieldReader(head, 0, 0)
    reader.hex('magic', 8)
    reader.u16('formatVersion')
    reader.u8('kind')
    reader.derived('kindName', kindOf(head) ?? 'unknown')
    reader.u8('cipher', true)
    reader.u16('ignoreFlags', true)
    reader.u16('refuseFlags', true)
    reader.hex('databaseId', 16, false)
    reader.hex('parentId', 16)
    reader.u64('number')
    reader.u32('salt')
    reader.hex32('checksum')
    yield reader.item('fileHeader')
  }
  if (error) yield errorItem(error, 0, Math.min(head.length, FILE_HEADER_BYTES))
}

/** An error of these bytes as an item. */
export function errorItem(error: WiscError, offset: number, end: number): Item {
  if (!(error instanceof CorruptionError)) {
    return damageItem(offset, end, error.message, error.code)
  }
  const at = Math.max(offset, Math.min(error.offset, end))
  return damageItem(at, end, error.reason)
}

/** What a check finds. */
export function errorFrom(check: () => void): WiscError | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    return toWiscError(error)
  }
}
