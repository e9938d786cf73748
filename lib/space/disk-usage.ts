/**
 * Bytes on disk, from the file system's block counts: of the whole directory, and of single files.
 *
 * A file of the version that changes no more (a table, a sealed segment, a relocation) is asked for once, a punched one
 * again, and their sum follows the versions. Everything else in the directory is asked for each time, and is little:
 * open segments, the manifest, BALLAST, what jobs are writing, and names that nobody knows.
 *
 * Who writes need not list the directory: all that is made in it takes a file number, and the numbers that were given
 * since the open are known. Foreign files count that were there at the open. Who only reads lists it each time, and
 * asks anew for files of the value log, in which somebody else makes holes: of many some at a time, in turn.
 */
import {
  BALLAST_NAME,
  CURRENT_NAME,
  joinPath,
  LOST_NAME,
  manifestName,
  parseFileName,
  segmentName,
  tableName,
} from '../base/files/file-names.ts'
import type { FileNumbers } from '../base/files/file-numbers.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { FileNumber } from '../base/ids.ts'
import { NumberMap } from '../base/number-map.ts'
import type { FoundFiles } from '../state/found-files.ts'
import type { ObsoleteFile } from '../tree/version/obsolete-files.ts'
import { isOpen, type Version } from '../tree/version/version.ts'

/** Numbers of which no file has been seen yet. More were used up for nothing by jobs that failed. */
const UNSEEN_MAX = 256

export class DiskUsage {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  /** Undefined: somebody else writes. */
  readonly #numbers: FileNumbers | undefined
  /** The one that the fields below are for. */
  #version: Version
  /** Allocated bytes of files that change no more: of the version, and of those that left it and are not unlinked. */
  readonly #settled: Map<FileNumber, number>
  #settledBytes = 0
  /** Open segments of the version. */
  readonly #open: Set<FileNumber> = new Set()
  /** Names of all else that may be there. */
  #others: Set<string>
  /** Numbers below it are accounted for. */
  #nextNumber: FileNumber
  /** Numbers that were given, and whose file has not been seen. */
  readonly #unseen: Set<FileNumber> = new Set()
  #lostBytes: number | undefined
  /** Tables that have left the version and are not unlinked. */
  readonly #leftTables: Set<FileNumber> = new Set()
  /** The same of files of the value log. */
  readonly #leftFiles: Set<FileNumber> = new Set()
  #unpublishedTableBytes = 0
  #goneBytes = 0
  /** Of the files that somebody else may have punched. */
  #nextAsked: FileNumber = 0

  /** @param numbers of the store's own writer, undefined if it only reads */
  constructor(
    { fileSystem, directory }: { readonly fileSystem: FileSystem; readonly directory: string },
    found: FoundFiles,
    numbers: FileNumbers | undefined,
  ) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#numbers = numbers
    this.#version = found.version
    this.#settled = found.allocated
    for (const bytes of found.allocated.values()) this.#settledBytes += bytes
    for (const file of found.version.files.values()) {
      if (isOpen(file)) this.#open.add(file.number)
    }
    // An open that sets bytes aside makes lost/ after it has read the names.
    this.#others = new Set([...found.others, CURRENT_NAME, BALLAST_NAME, LOST_NAME])
    this.#nextNumber = found.nextNumber
  }

  /** Allocated bytes of everything in the directory, lost/ included. */
  measure(version: Version): number {
    this.follow(version)
    if (this.#numbers) this.#noteNumbers(this.#numbers.next)
    else this.#listOthers()
    let bytes = this.#settledBytes
    let tableBytes = 0
    for (const number of this.#open) bytes += this.#ask(segmentName(number)) ?? 0
    for (const name of this.#others) {
      const other = name === LOST_NAME ? this.#lost() : this.#askOther(name)
      const named = parseFileName(name)
      if (named?.kind === 'table' && !version.tables.has(named.number)) tableBytes += other
      bytes += other
    }
    this.#unpublishedTableBytes = tableBytes
    return bytes
  }

  /**
   * Of what was measured last, tables that the version does not hold: what flushes and compactions are writing, and
   * inputs that wait to be unlinked.
   */
  get outsideTableBytes(): number {
    let bytes = this.#unpublishedTableBytes
    for (const number of this.#leftTables) bytes += this.#settled.get(number) ?? 0
    return bytes
  }

  /** Files of the value log that have left the version, and wait to be unlinked: somebody may still read them. */
  get leavingBytes(): number {
    let bytes = 0
    for (const number of this.#leftFiles) bytes += this.#settled.get(number) ?? 0
    return bytes
  }

  /** Allocated bytes of a file of the value log; 0 if it is not there. */
  ofValueLogFile(number: FileNumber): number {
    return this.#settled.get(number) ?? this.#ask(segmentName(number)) ?? 0
  }

  /** The same of a table. */
  ofTable(number: FileNumber): number {
    return this.#settled.get(number) ?? this.#ask(tableName(number)) ?? 0
  }

  get ballastBytes(): number {
    return this.#ask(BALLAST_NAME) ?? 0
  }

  /** The file was punched, or may have been: it is asked for again. @returns whether it has other blocks */
  askAgain(number: FileNumber): boolean {
    const before = this.#settled.get(number)
    if (before === undefined) return false
    this.#settle(number, segmentName(number))
    const after = this.#settled.get(number)!
    this.#goneBytes += before - after
    return after !== before
  }

  /**
   * Somebody else makes holes: asks anew for files of the value log, the next ones each time if there are more.
   * @returns those that have other blocks than before
   */
  askInTurn(version: Version, most: number): FileNumber[] {
    this.follow(version)
    const changed: FileNumber[] = []
    let left = most
    for (const number of inTurn(version, this.#nextAsked)) {
      if (left-- === 0) {
        this.#nextAsked = number
        break
      }
      if (this.askAgain(number)) changed.push(number)
    }
    return changed
  }

  /** The file has been unlinked. */
  gone(number: FileNumber, kind: ObsoleteFile['kind'] = 'segment'): void {
    if (kind === 'segment') this.#goneBytes += this.#settled.get(number) ?? 0
    this.#leftTables.delete(number)
    this.#leftFiles.delete(number)
    this.#unsettle(number)
    this.#unseen.delete(number)
  }

  /** Bytes of the value log that have come back since this was last asked: files that have gone, and holes. */
  takeGone(): number {
    const bytes = this.#goneBytes
    this.#goneBytes = 0
    return bytes
  }

  /** Asks for files that have come into the version or have been sealed; what has left it counts until it is gone. */
  follow(version: Version): void {
    const before = this.#version
    if (version === before) return
    this.#version = version
    NumberMap.diff(before.tables, version.tables, (number, old, table) => {
      if (table === undefined && this.#settled.has(number)) this.#leftTables.add(number)
      if (table === undefined || old !== undefined) return
      this.#known(number, tableName(number))
      this.#settle(number, tableName(number))
    })
    NumberMap.diff(before.files, version.files, (number, _, file) => {
      const name = segmentName(number)
      if (file !== undefined && isOpen(file)) this.#open.add(number)
      else this.#open.delete(number)
      if (file !== undefined) this.#known(number, name)
      else if (this.#settled.has(number)) this.#leftFiles.add(number)
      else this.#others.add(name)
      const hasEnded = file !== undefined && !isOpen(file)
      if (hasEnded && !this.#settled.has(number)) this.#settle(number, name)
    })
  }

  /** The version holds it, so that it is nothing else. */
  #known(number: FileNumber, name: string): void {
    this.#unseen.delete(number)
    this.#others.delete(name)
  }

  #settle(number: FileNumber, name: string): void {
    this.#unsettle(number)
    const bytes = this.#ask(name) ?? 0
    this.#settled.set(number, bytes)
    this.#settledBytes += bytes
  }

  #unsettle(number: FileNumber): void {
    this.#settledBytes -= this.#settled.get(number) ?? 0
    this.#settled.delete(number)
  }

  /** Looks for the files of numbers that were given, whoever made them. */
  #noteNumbers(next: FileNumber): void {
    for (; this.#nextNumber < next; this.#nextNumber++) {
      const number = this.#nextNumber
      const isOfVersion = this.#version.tables.has(number) || this.#version.files.has(number)
      if (!isOfVersion) this.#unseen.add(number)
    }
    if (this.#unseen.size === 0) return
    // Ids of runs come from the same counter.
    for (const { runs } of this.#version.levels) for (const { id } of runs) this.#unseen.delete(id)
    for (const number of this.#unseen) {
      const names = [tableName(number), segmentName(number), manifestName(number)]
      const name = names.find((each) => this.#ask(each) !== undefined)
      if (name === undefined && this.#unseen.size <= UNSEEN_MAX) continue
      this.#unseen.delete(number)
      if (name !== undefined) this.#others.add(name)
    }
  }

  /** What the writer has removed does not count. */
  #listOthers(): void {
    const names = new Set(this.#fileSystem.list(this.#directory))
    for (const number of this.#open) names.delete(segmentName(number))
    const { tables, files } = this.#version
    for (const number of this.#settled.keys()) {
      const isTable = tables.has(number) && names.delete(tableName(number))
      const isThere = isTable || (files.has(number) && names.delete(segmentName(number)))
      if (!isThere) this.#unsettle(number)
    }
    // What has left the version, and is still there, is among the others: it is asked for anew.
    this.#leftTables.clear()
    this.#leftFiles.clear()
    this.#others = names
  }

  /** What is gone is no longer asked for, but for BALLAST, which comes back. */
  #askOther(name: string): number {
    const bytes = this.#ask(name)
    if (bytes === undefined && name !== BALLAST_NAME) this.#others.delete(name)
    return bytes ?? 0
  }

  #ask(name: string): number | undefined {
    return this.#fileSystem.statPath(joinPath(this.#directory, name))?.allocated
  }

  /** Only an open adds to it, before anything is measured; for who only reads, that of somebody else. */
  #lost(): number {
    if (!this.#numbers) return this.#measureLost()
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

/** The files of the value log, from one on, and then those before it. */
function* inTurn({ files }: Version, first: FileNumber): Generator<FileNumber, void> {
  for (const [number] of files.from(first)) yield number
  for (const number of files.keys()) {
    if (number >= first) return
    yield number
  }
}
