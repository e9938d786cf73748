/**
 * The files of a store that may have lost any of them: whose they are, and what the manifest says, if it still can.
 *
 * The database id is that of CURRENT, else the one that most files carry. Only the manifest with the highest number
 * counts, and only if the log names no later edit as durable: an older one would take files for orphans that are none.
 */

import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../../../vlog/log/segment-header.ts'
import { IoError, isNewerVersion, toWiscError, WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'
import {
  joinPath,
  manifestName,
  type NumberedFileKind,
  parseFileName,
  segmentName,
  tableName,
} from '../../base/files/file-names.ts'
import type { File, FileSystem, Lock } from '../../base/files/file-system.ts'
import { FRAME_HEADER_BYTES, frameSeed, readKnownFrame } from '../../base/files/frame.ts'
import type { FileNumber, LogOrdinal, VersionNumber } from '../../base/ids.ts'
import { lockStoreQuietly } from '../../base/platform/store-lock.ts'
import { refuseUnfinished } from '../../recovery/store-place.ts'
import { readCurrent } from '../../tree/version/current.ts'
import { readManifest } from '../../tree/version/manifest-reader.ts'
import { logFiles as logFilesOf, type Version } from '../../tree/version/version.ts'
import { readRange } from '../dump/dump-context.ts'
import { findIdentity, kindOf } from '../dump/file-identity.ts'

/** Something that is wrong with a file. */
export interface FileDamage {
  readonly file: string
  /** Undefined: the file as a whole. */
  readonly offset: number | undefined
  readonly end: number | undefined
  readonly reason: string
}

export interface StoreFiles {
  readonly directory: string
  readonly databaseId: Uint8Array
  readonly tables: readonly number[]
  /** Segments, relocations and streams. */
  readonly logFiles: readonly number[]
  /** Those of them that are streams, by their headers. */
  readonly streams: readonly number[]
  /** What the manifest makes of them; undefined if it cannot be trusted. */
  readonly version: Version | undefined
  /** Where a segment ends, if the segment behind it or the manifest says so. */
  readonly segmentEnds: ReadonlyMap<FileNumber, number>
  /** Which place a segment has in the log, if it or the manifest says so. */
  readonly ordinals: ReadonlyMap<FileNumber, LogOrdinal>
  readonly damage: FileDamage[]
}

/**
 * Keeps writers away: files that are being written would pass for damaged ones. Writes nothing.
 * @throws WISC_LOCKED, WISC_NO_STORE
 */
export function keepWritersAway(directory: string): Promise<Lock> {
  return lockStoreQuietly(directory, 'close it there first')
}

/** @throws WISC_NO_STORE if there is nothing of a store */
export function findStoreFiles(fileSystem: FileSystem, directory: string): StoreFiles {
  if (fileSystem.statPath(directory)?.kind !== 'directory') throw noStore(directory)
  refuseUnfinished(fileSystem, directory)
  const numbers: Record<NumberedFileKind, number[]> = { table: [], segment: [], manifest: [] }
  for (const name of fileSystem.list(directory)) {
    const parsed = parseFileName(name)
    if (parsed) numbers[parsed.kind].push(parsed.number)
  }
  for (const list of Object.values(numbers)) list.sort((left, right) => left - right)
  const { table: tables, segment: logFiles, manifest: manifests } = numbers
  if (tables.length === 0 && logFiles.length === 0) throw noStore(directory)
  const damage: FileDamage[] = []
  const names = [...tables.map(tableName), ...logFiles.map(segmentName)]
  const current = attempt(damage, 'CURRENT', () => {
    const found = readCurrent(fileSystem, directory)
    if (!found) throw new WiscError('WISC_CORRUPTION', 'file is missing')
    return found
  })
  const databaseId = current?.databaseId ?? commonId(fileSystem, directory, names)
  const ends = new Map<LogOrdinal, number>()
  const ordinals = new Map<FileNumber, LogOrdinal>()
  let durableEdit = 0
  for (const number of numbers.segment) {
    const facts = readChain(fileSystem, directory, number, databaseId)
    if (facts === undefined) continue
    durableEdit = Math.max(durableEdit, facts.durableEdit)
    ordinals.set(number, facts.header.ordinal)
    ends.set(facts.header.predecessor, facts.header.predecessorLength)
  }
  const manifest = Math.max(...manifests, current?.manifestNumber ?? 0)
  const version = attempt(damage, manifest === 0 ? 'MANIFEST' : manifestName(manifest), () => {
    if (manifest === 0) throw new WiscError('WISC_CORRUPTION', 'file is missing')
    const read = readManifest(fileSystem, directory, manifest, databaseId)
    if (read.lastEditNumber < durableEdit) {
      const reason = `manifest ends before edit ${durableEdit}, which the log names as durable`
      throw new WiscError('WISC_CORRUPTION', reason)
    }
    return read.version
  })
  for (const { number, ordinal, seal } of version ? logFilesOf(version) : []) {
    ordinals.set(number, ordinal)
    if (seal) ends.set(ordinal, seal.length)
  }
  const segmentEnds = new Map<FileNumber, number>()
  for (const [number, ordinal] of ordinals) {
    const end = ends.get(ordinal)
    if (end !== undefined) segmentEnds.set(number, end)
  }
  const streams = logFiles.filter((number) => {
    const name = segmentName(number)
    const head = withFile(fileSystem, directory, name, (file) =>
      readRange(file, 0, FILE_HEADER_BYTES),
    )
    return head !== undefined && kindOf(head) === 'stream'
  })
  const files = { directory, databaseId, tables, logFiles, streams }
  return { ...files, version, segmentEnds, ordinals, damage }
}

function noStore(directory: string): WiscError {
  const message = `there is nothing of a store at this path path=${directory}`
  return new WiscError('WISC_NO_STORE', message)
}

/** @returns undefined if it fails; then the damage is noted */
function attempt<T>(damage: FileDamage[], file: string, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    damage.push(damageOf(file, error))
    return undefined
  }
}

/** Refusals that say nothing of the bytes of a file: with other rights, or more room, it may be whole. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EINTR',
  'EAGAIN',
])

/**
 * What an error says about a file.
 * @throws the error, if it says nothing of its bytes, or that they are of a newer version: what this one cannot read
 *   may hide what it can (a range that was deleted), and nothing is lost that the right version would not find
 */
export function damageOf(file: string, thrown: unknown): FileDamage {
  const error = toWiscError(thrown)
  const isRefusal = error instanceof IoError && SAYS_NOTHING.has(error.errno)
  if (isRefusal || isNewerVersion(error) || error.code === 'WISC_INTERNAL') throw thrown
  const { offset, reason } = error as { offset?: number; reason?: string }
  return { file, offset, end: undefined, reason: reason ?? error.message }
}

/** The id that most headers carry. */
function commonId(fileSystem: FileSystem, directory: string, names: readonly string[]): Uint8Array {
  const counts = new Map<string, number>()
  for (const name of names) {
    const head = withFile(fileSystem, directory, name, (file) =>
      readRange(file, 0, FILE_HEADER_BYTES),
    )
    if (head === undefined || kindOf(head) === undefined) continue
    const found = findIdentity(head, name, parseFileName(name)?.number, undefined)
    if (found.error || !found.identity) continue
    const id = Buffer.from(found.identity.databaseId).toString('hex')
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  const [best] = [...counts].sort(([, left], [, right]) => right - left)
  return new Uint8Array(Buffer.from(best?.[0] ?? '00'.repeat(16), 'hex'))
}

/** @returns undefined if the file is gone or cannot be read: whoever needs it will say so */
function withFile<T>(
  fileSystem: FileSystem,
  directory: string,
  name: string,
  use: (file: File) => T,
): T | undefined {
  let file: File | undefined
  try {
    file = fileSystem.open(joinPath(directory, name), 'read')
    return use(file)
  } catch (error) {
    damageOf(name, error)
    return undefined
  } finally {
    file?.close()
  }
}

/** How a segment goes on from the one before, and the highest edit that its frames name, up to the first damage. */
function readChain(
  fileSystem: FileSystem,
  directory: string,
  number: FileNumber,
  databaseId: Uint8Array,
): { readonly header: SegmentHeader; readonly durableEdit: VersionNumber } | undefined {
  const name = segmentName(number)
  return withFile(fileSystem, directory, name, (file) => {
    const head = readRange(file, 0, SEGMENT_HEADER_BYTES)
    if (kindOf(head) !== 'segment') return undefined
    const header = readSegmentHeader(head, number, databaseId)
    const seed = frameSeed(header.identity)
    let durableEdit = 0
    for (let offset = SEGMENT_HEADER_BYTES; ; ) {
      const bytes = readRange(file, offset, FRAME_HEADER_BYTES)
      const frame = readKnownFrame(bytes, 0, seed, offset, name)
      if (!frame) return { header, durableEdit }
      durableEdit = Math.max(durableEdit, frame.durableEdit)
      offset += frame.length
    }
  })
}
