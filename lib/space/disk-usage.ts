/**
 * Bytes on disk, from the file system's block counts: of the whole directory, and of single files.
 *
 * Files that change no more (tables, sealed segments, relocations) are asked for once; a punched one again. So a
 * look costs a listing, and a call for each of the few others.
 */
import { joinPath, LOST_NAME, parseFileName } from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { tableMap } from '../state/tables.ts'
import { holdsValueLogFile, type Version } from '../tree/version/version.ts'

export class DiskUsage {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  /** By name: allocated bytes of files that change no more. */
  #known: Map<string, number> = new Map()
  #lostBytes: number | undefined

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** Allocated bytes of everything in the directory, lost/ included. */
  measure(version: Version): number {
    const known = new Map<string, number>()
    const tables = tableMap(version)
    let total = 0
    for (const name of this.#fileSystem.list(this.#directory)) {
      if (name === LOST_NAME) {
        total += this.#lost()
        continue
      }
      const before = this.#known.get(name)
      const bytes = before ?? this.allocated(name)
      total += bytes
      if (before !== undefined || isFinal(version, tables, name)) known.set(name, bytes)
    }
    this.#known = known
    return total
  }

  /** Allocated bytes of one file; 0 if it is not there. */
  allocated(name: string): number {
    const path = joinPath(this.#directory, name)
    return this.#known.get(name) ?? this.#fileSystem.statPath(path)?.allocated ?? 0
  }

  /** The file was punched: it is asked for again. */
  forget(name: string): void {
    this.#known.delete(name)
  }

  /** Only an open adds to it, before anything is measured. */
  #lost(): number {
    this.#lostBytes ??= this.#measureLost()
    return this.#lostBytes
  }

  #measureLost(): number {
    const path = joinPath(this.#directory, LOST_NAME)
    const stat = this.#fileSystem.statPath(path)
    // Somebody may have given the name to something else; only recovery puts that out of its way.
    if (stat?.kind !== 'directory') return stat?.allocated ?? 0
    let bytes = 0
    for (const name of this.#fileSystem.list(path)) {
      bytes += this.#fileSystem.statPath(joinPath(path, name))?.allocated ?? 0
    }
    return bytes
  }
}

/** Tables and relocations are written whole before they get into a version, and sealed segments have ended. */
function isFinal(version: Version, tables: ReadonlyMap<number, unknown>, name: string): boolean {
  const file = parseFileName(name)
  if (file?.kind === 'table') return tables.has(file.number)
  if (file?.kind !== 'segment' || !holdsValueLogFile(version, file.number)) return false
  return version.segments.get(file.number)?.state !== 'open'
}
