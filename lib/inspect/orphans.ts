/**
 * Orphans: what lies in the directory of a store and belongs to nothing, and its removal.
 *
 * Whether a file is the store's own is proved by its header: the id of the database, the kind and the number of its
 * name. Nothing else is ever removed. A store that is in use has files that are not finished yet: they look the same,
 * which is why a removal takes the lock first, and proves like an open that the manifest is the last one.
 */
import { isMissing, WiscError } from '../base/errors.ts'
import { FILE_HEADER_BYTES } from '../base/files/file-header.ts'
import {
  BALLAST_NAME,
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  joinPath,
  LOCK_GUARD_NAME,
  LOCK_NAME,
  LOST_NAME,
  manifestName,
  mayBeGiven,
  parseFileName,
} from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { nodeFileSystem } from '../base/platform/node-file-system.ts'
import { lockStore, lockStoreQuietly } from '../base/platform/store-lock.ts'
import { readFromCurrent } from '../reads/read-again.ts'
import { surveyStore } from '../recovery/recover.ts'
import { refuseUnfinished } from '../recovery/store-place.ts'
import type { ReadManifest } from '../tree/version/manifest-reader.ts'
import { VersionSet } from '../tree/version/version-set.ts'
import { readRange } from './dump/dump-context.ts'
import { findIdentity } from './dump/file-identity.ts'

export interface Orphan {
  /** In the directory of the store; lost/NAME for what recovery set aside. */
  readonly file: string
  readonly kind:
    | 'table'
    | 'segment'
    | 'relocation'
    | 'stream'
    | 'manifest'
    | 'temporary'
    | 'lost'
    | 'empty'
    | 'foreign'
  readonly bytes: number
  readonly diskBytes: number
  readonly reason: string
  /** Proved to be the store's own, and needed by nobody. */
  readonly isRemovable: boolean
}

const BELONGS: ReadonlySet<string> = new Set([
  CURRENT_NAME,
  LOCK_NAME,
  LOCK_GUARD_NAME,
  BALLAST_NAME,
  LOST_NAME,
])
const IN_USE = 'its unfinished files are no orphans'
const UNFINISHED = 'not in the version: a job or an upload did not end, or has not ended yet'
const UNFINISHED_OR_REPLACED = `${UNFINISHED}, or the file was replaced and not removed`

/**
 * What belongs to nothing, in the order of names. Takes no lock and writes nothing (I11).
 * @throws WISC_NO_STORE, CorruptionError, IoError
 */
export function listOrphans(directory: string, fileSystem: FileSystem = nodeFileSystem): Orphan[] {
  if (fileSystem.statPath(directory)?.kind !== 'directory') throw noStore(directory)
  refuseUnfinished(fileSystem, directory)
  // Names first: what comes into the version meanwhile is no orphan then.
  const names = fileSystem.list(directory).sort()
  const manifest = readVersion(fileSystem, directory)
  const found = names.flatMap((name) => judge(fileSystem, directory, name, manifest) ?? [])
  return [...found, ...lostFiles(fileSystem, directory)]
}

/** @throws WISC_LOCKED if a process has the store open: for a first look, which writes nothing */
export async function refuseInUse(directory: string): Promise<void> {
  const lock = await lockStoreQuietly(directory, IN_USE)
  lock.release()
}

/**
 * Removes those of the files that are orphans still, and removable.
 * @returns the names of what is gone
 * @throws WISC_LOCKED; CorruptionError if the store is damaged: then any file may be needed
 */
export async function removeOrphans(
  directory: string,
  files: readonly string[],
  fileSystem: FileSystem = nodeFileSystem,
): Promise<string[]> {
  const lock = await lockStore(fileSystem, directory, IN_USE)
  try {
    const manifest = readVersion(fileSystem, directory)
    surveyStore({ fileSystem, directory, databaseId: manifest.databaseId }, manifest)
    const removed: string[] = []
    for (const { file, isRemovable } of listOrphans(directory, fileSystem)) {
      if (!isRemovable || !files.includes(file)) continue
      fileSystem.unlink(joinPath(directory, file))
      removed.push(file)
    }
    fileSystem.syncDirectory(directory)
    return removed
  } finally {
    lock.release()
  }
}

function noStore(directory: string): WiscError {
  return new WiscError('WISC_NO_STORE', `there is no store at this path path=${directory}`)
}

function readVersion(fileSystem: FileSystem, directory: string): ReadManifest {
  // A writer may put the next manifest in place of this one.
  const manifest = readFromCurrent(() => VersionSet.read(fileSystem, directory))
  if (manifest) return manifest
  throw noStore(directory)
}

/** @returns undefined for a file that belongs to the store, or is gone by now */
function judge(
  fileSystem: FileSystem,
  directory: string,
  name: string,
  manifest: ReadManifest,
): Orphan | undefined {
  if (BELONGS.has(name)) return undefined
  const parsed = parseFileName(name)
  if (parsed && isInUse(parsed, manifest)) return undefined
  const stat = fileSystem.statPath(joinPath(directory, name))
  if (!stat) return undefined
  const file = { file: name, bytes: stat.size, diskBytes: stat.allocated }
  const other = (kind: 'foreign' | 'empty', reason: string): Orphan => ({
    ...file,
    kind,
    reason,
    isRemovable: false,
  })
  if (stat.kind !== 'file') return other('foreign', 'not a file of a store')
  if (name === CURRENT_TEMPORARY_NAME) {
    const reason = 'a CURRENT that was not put in place'
    return { ...file, kind: 'temporary', reason, isRemovable: true }
  }
  if (!parsed) return other('foreign', 'not a file of a store')
  if (!mayBeGiven(parsed.number, manifest.version.nextFileNumber)) {
    return other('foreign', 'the store has never come near to this number')
  }
  if (stat.size === 0) return other('empty', 'empty: the next process that writes removes it')
  const head = readHead(fileSystem, directory, name)
  if (!head) return undefined
  const { identity, error } = findIdentity(head, name, parsed.number, manifest.databaseId)
  if (error || !identity) {
    return other('foreign', `it cannot be proved to be of this store: ${error?.message ?? ''}`)
  }
  const { kind } = identity
  const isOfLog = kind === 'relocation' || kind === 'stream'
  const isAsNamed = kind === parsed.kind || (isOfLog && parsed.kind === 'segment')
  if (!isAsNamed) {
    return other('foreign', `its header says that it is a ${kind}`)
  }
  const live = manifestName(manifest.number)
  const isOld = parsed.number < manifest.version.nextFileNumber
  const reason =
    kind === 'manifest' ? `CURRENT names ${live}` : isOld ? UNFINISHED_OR_REPLACED : UNFINISHED
  return { ...file, kind, reason, isRemovable: true }
}

function isInUse(
  { kind, number }: NonNullable<ReturnType<typeof parseFileName>>,
  { number: manifest, version }: ReadManifest,
): boolean {
  if (kind === 'manifest') return number === manifest
  if (kind === 'segment') return version.files.has(number)
  return version.levels.some(({ runs }) =>
    runs.some(({ tables }) => tables.some((table) => table.number === number)),
  )
}

/** @returns undefined if it is gone by now */
function readHead(fileSystem: FileSystem, directory: string, name: string): Uint8Array | undefined {
  try {
    const file = fileSystem.open(joinPath(directory, name), 'read')
    try {
      return readRange(file, 0, FILE_HEADER_BYTES)
    } finally {
      file.close()
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** What recovery has set aside: nobody reads it but people. */
function lostFiles(fileSystem: FileSystem, directory: string): Orphan[] {
  const lost = joinPath(directory, LOST_NAME)
  if (fileSystem.statPath(lost)?.kind !== 'directory') return []
  return fileSystem
    .list(lost)
    .sort()
    .flatMap((name): Orphan[] => {
      const stat = fileSystem.statPath(joinPath(lost, name))
      if (!stat) return []
      const reason = 'set aside by recovery, for people to look at'
      const { size: bytes, allocated: diskBytes } = stat
      const file = `${LOST_NAME}/${name}`
      return [{ file, kind: 'lost', bytes, diskBytes, reason, isRemovable: false }]
    })
}
