/**
 * Dump: any file of a database as a sequence of items (items.ts).
 *
 * Reads only the file, and for one of lost/ the header of the file that it was cut from. Takes no lock and writes
 * nothing (I11). What does not prove itself is an item with `damage`; behind it the dump goes on where it can.
 */
import { basename, dirname } from 'node:path'
import { CorruptionError, isNewerVersion } from '../../base/errors.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'
import {
  BALLAST_NAME,
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  joinPath,
  LOCK_NAME,
  LOST_NAME,
  parseFileName,
} from '../../base/files/file-names.ts'
import type { File, FileStat, FileSystem } from '../../base/files/file-system.ts'
import { nodeFileSystem } from '../../base/platform/node-file-system.ts'
import { type DumpContext, isWanted, readRange } from './dump-context.ts'
import { dumpSegment } from './dump-log.ts'
import { dumpManifest } from './dump-manifest.ts'
import { dumpRelocation } from './dump-relocation.ts'
import { dumpStream } from './dump-stream.ts'
import { dumpTable } from './dump-table.ts'
import { dumpBallast, dumpCurrent, dumpLock } from './dump-text.ts'
import { errorItem, type FoundIdentity, findIdentity } from './file-identity.ts'
import { damageItem, type Item } from './items.ts'

export interface DumpOptions {
  /** Only items that touch [from, to), in bytes of the file. */
  readonly from?: number
  readonly to?: number
  readonly fileSystem?: FileSystem
}

export interface Dump {
  /** Of the whole file. Places in a file of lost/ are those in the file that it was cut from. */
  readonly start: number
  readonly end: number
  readonly items: Iterable<Item>
  /** Bytes of the file, fewer where it ends. */
  readonly read: (offset: number, length: number) => Uint8Array
  readonly close: () => void
}

/** @throws IoError if the file cannot be opened */
export function openDump(path: string, options: DumpOptions = {}): Dump {
  const { from = 0, to = Number.POSITIVE_INFINITY, fileSystem = nodeFileSystem } = options
  const lost = lostName(path)
  const opened = fileSystem.open(path, 'read')
  const start = lost?.offset ?? 0
  const file = start === 0 ? opened : shifted(opened, start)
  const size = start + opened.stat().size
  const name = lost?.name ?? basename(path)
  const context: DumpContext = { file, name, size, start, from, to }
  const header = lost && lostHeader(fileSystem, path, lost.name)
  return {
    start,
    end: size,
    items: itemsInRange(context, header, () => start + opened.stat().size),
    read: (offset, length) => readRange(file, offset, Math.min(length, size - offset)),
    close: () => opened.close(),
  }
}

function* itemsInRange(
  context: DumpContext,
  header: Uint8Array | undefined,
  sizeNow: () => number,
): Generator<Item> {
  const { size } = context
  for (const item of itemsOf(context, header)) {
    const isAtEnd = item.damage !== undefined && item.offset + item.length >= size
    // Somebody is writing the file: what was cut off at its end goes on by now, and belongs to a later look.
    if (isAtEnd && sizeNow() > size) return
    if (isWanted(context, item)) yield item
  }
}

function* itemsOf(context: DumpContext, header: Uint8Array | undefined): Generator<Item> {
  const { file, name, size, start } = context
  if (name === CURRENT_NAME || name === CURRENT_TEMPORARY_NAME) yield* dumpCurrent(context)
  else if (name === LOCK_NAME) yield* dumpLock(context)
  else if (name === BALLAST_NAME) yield* dumpBallast(context)
  // A segment that was prepared, and nothing written yet.
  else if (size === start && parseFileName(name)?.kind === 'segment') return
  else {
    const head = header ?? readRange(file, 0, Math.min(FILE_HEADER_BYTES, size))
    yield* numberedItems(context, findIdentity(head, name, parseFileName(name)?.number, undefined))
  }
}

/** A file whose kind its header tells, whatever its name is. */
function* numberedItems(context: DumpContext, found: FoundIdentity): Generator<Item> {
  const { name, start, size } = context
  const parsed = parseFileName(name)
  const { identity, error } = found
  if (identity === undefined && error && isNewerVersion(error)) {
    yield errorItem(error, start, size)
    return
  }
  if (identity === undefined) {
    const isCut = start > 0
    const own = error instanceof CorruptionError ? error.reason : 'file header is cut off'
    const reason = isCut ? 'the file that these bytes were cut from is gone, with its header' : own
    const isOurs = parsed !== undefined || name === BALLAST_NAME
    yield damageItem(start, size, isOurs ? reason : 'not a file of a wisc database')
    return
  }
  if (identity.kind === 'manifest') yield* dumpManifest(context, identity, error)
  else if (identity.kind === 'table') yield* dumpTable(context, identity, error)
  else if (identity.kind === 'segment') yield* dumpSegment(context, identity, error)
  else if (identity.kind === 'relocation') yield* dumpRelocation(context, identity, error)
  else if (identity.kind === 'stream') yield* dumpStream(context, identity, error)
  else yield* dumpBallast(context)
}

/** `lost/NAME@OFFSET` or `lost/NAME@OFFSET.N`. */
function lostName(path: string): { name: string; offset: number } | undefined {
  const match = /^(.+)@(\d{1,15})(?:\.\d+)?$/.exec(basename(path))
  if (!match || basename(dirname(path)) !== LOST_NAME) return undefined
  return parseFileName(match[1]!) ? { name: match[1]!, offset: Number(match[2]) } : undefined
}

/** The header of the file that bytes in lost/ were cut from; empty if it is gone. */
function lostHeader(fileSystem: FileSystem, path: string, name: string): Uint8Array | undefined {
  const original = joinPath(dirname(dirname(path)), name)
  if (fileSystem.statPath(original)?.kind !== 'file') return undefined
  const file = fileSystem.open(original, 'read')
  try {
    return readRange(file, 0, FILE_HEADER_BYTES)
  } finally {
    file.close()
  }
}

/** A file whose first byte lies at `start`; only what a dump asks for knows of it. */
function shifted(file: File, start: number): File {
  return Object.assign(Object.create(file) as File, {
    path: file.path,
    read: (target: Uint8Array, at: number, length: number, position: number): number =>
      position < start ? 0 : file.read(target, at, length, position - start),
    stat: (): FileStat => ({ ...file.stat(), size: start + file.stat().size }),
  })
}
