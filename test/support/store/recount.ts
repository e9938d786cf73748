/**
 * The space of a store counted anew from its files, for I9: tables entry by entry, files by what the file system says.
 */
import { joinPath } from '#dist/lib/base/files/file-names.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import { compareLogPositions } from '#dist/lib/base/log-position.js'
import { openTable, tablesOf } from '#dist/lib/state/tables.js'
import type { Store } from '#dist/lib/store/store.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { fileLength, type Version } from '#dist/lib/tree/version/version.js'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'

interface Use {
  records: number
  bytes: number
}

/** What entries of the tables point to, by logical segment. */
function countReferences(
  context: { fileSystem: FileSystem; directory: string; databaseId: Uint8Array },
  version: Version,
): Map<number, Use> {
  const uses = new Map<number, Use>()
  for (const { number } of tablesOf(version)) {
    const reader = openTable(context, version, number)
    try {
      const cursor = reader.cursor()
      for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
        const { kind, segment, length } = cursor.entry
        if (kind !== KIND.pointer) continue
        const use = uses.get(segment) ?? { records: 0, bytes: 0 }
        use.records++
        use.bytes += length
        uses.set(segment, use)
      }
    } finally {
      reader.close()
    }
  }
  return uses
}

/** How the figures of a store differ from a recount; empty if they do not. The store must be flushed. */
export function accountingErrors(
  store: Store,
  fileSystem: FileSystem,
  directory: string,
): string[] {
  const errors: string[] = []
  const check = (what: string, found: unknown, expected: unknown): void => {
    if (found !== expected) errors.push(`${what}: ${String(found)}, counted ${String(expected)}`)
  }
  const infos = store.segments()
  const stats = store.stats()
  const { version, databaseId } = VersionSet.read(fileSystem, directory)!
  const uses = countReferences({ fileSystem, directory, databaseId }, version)
  let exposed = 0
  const held = new Set<number>()
  for (const info of infos) {
    const stat = fileSystem.statPath(joinPath(directory, info.file))
    exposed += info.exposedGarbageBytes
    check(`${info.file} disk bytes`, info.diskBytes, stat?.allocated)
    for (const segment of info.segments) held.add(segment)
    const sum = (of: keyof Use): number =>
      info.segments.reduce((total, segment) => total + (uses.get(segment)?.[of] ?? 0), 0)
    check(`${info.file} records`, info.referencedRecords, sum('records'))
    const known = version.files.get(info.id)
    check(`${info.file} kind`, info.kind, known?.role === 'log' ? 'segment' : known?.role)
    const length = known && fileLength(known)
    if (known === undefined || length === undefined) continue
    check(`${info.file} length`, info.totalBytes, length)
    const isBehind =
      known.role !== 'log' ||
      compareLogPositions({ ordinal: known.ordinal, offset: length }, version.checkpoint) <= 0
    if (!isBehind) continue
    check(`${info.file} bytes`, info.referencedBytes, sum('bytes'))
    check(`${info.file} garbage`, info.exposedGarbageBytes, length - sum('bytes'))
  }
  for (const segment of uses.keys())
    if (!held.has(segment)) errors.push(`segment ${segment} is in no file`)
  check('exposed garbage', stats.exposedGarbageBytes, exposed)
  check('disk bytes', stats.diskBytes, allocatedBytes(fileSystem, directory))
  return errors
}

/** Bytes that the file system has allocated for everything in the directory. */
export function allocatedBytes(fileSystem: FileSystem, directory: string): number {
  let total = 0
  for (const name of fileSystem.list(directory)) {
    const path = joinPath(directory, name)
    const stat = fileSystem.statPath(path)
    if (stat?.kind === 'directory') total += allocatedBytes(fileSystem, path)
    else total += stat?.allocated ?? 0
  }
  return total
}
