/**
 * Writes one run of tables, and takes it back if it is not finished.
 *
 * A table is ended when it has tableBytes, but never between two entries of a key. Each is synced
 * when it ends; the directory is not (I4: the version set syncs it before an edit names the
 * tables). A thread that must not stand still for a sync has the thread pool do it (syncSlices).
 */
import { syncFailed, toWiscError } from '../../base/errors.ts'
import type { FileIdentity } from '../../base/files/file-header.ts'
import { joinPath, tableName } from '../../base/files/file-names.ts'
import { FileNumbers } from '../../base/files/file-numbers.ts'
import type { File, FileSystem } from '../../base/files/file-system.ts'
import { unlinkIfPossible } from '../../base/files/unlink.ts'
import { keepUntilNext } from '../../base/kept.ts'
import { type Random, randomU32 } from '../../base/random.ts'
import type { BuiltTable, Entry, TableOptions } from '../entry.ts'
import type { RangeFragment } from '../ranges/range-fragments.ts'
import { TableBuilder } from '../table/table-builder.ts'

/** Where a run goes. */
export interface RunTarget {
  readonly directory: string
  readonly databaseId: Uint8Array
  /** The memory of the store's {@link FileNumbers}: each table takes its number when it begins. */
  readonly fileNumbers: SharedArrayBuffer
  readonly tableOptions: TableOptions
}

/** What a job gets from outside. */
export interface JobPorts {
  readonly fileSystem: FileSystem
  readonly random: Random
  /** True on the calling thread: slices yield the promise of a sync instead of standing still for it. */
  readonly syncsAside?: boolean
  /** Called now and then with how much is done: 0 to 1. */
  readonly progress?: (share: number) => void
}

/** A file that has no bytes yet, and what its header says. */
export interface NewTable {
  readonly file: File
  readonly identity: FileIdentity
}

export class RunWriter {
  readonly #ports: JobPorts
  readonly #target: RunTarget
  readonly #baseSequence: number
  readonly #numbers: FileNumbers
  readonly #tables: BuiltTable[] = []
  readonly #paths: string[] = []
  /** Ended, and still to be synced. */
  readonly #unsynced: File[] = []
  #file: File | undefined
  #builder: TableBuilder | undefined
  #finished = false
  #entries = 0

  /** @param baseSequence not above any sequence that will come */
  constructor(ports: JobPorts, target: RunTarget, baseSequence: number) {
    this.#ports = ports
    this.#target = target
    this.#baseSequence = baseSequence
    this.#numbers = new FileNumbers(target.fileNumbers)
  }

  /** Entries added. */
  get entries(): number {
    return this.#entries
  }

  /** Bytes of the tables that are finished. */
  get bytesWritten(): number {
    return this.#tables.reduce((sum, { meta }) => sum + meta.bytes, 0)
  }

  /** True if the entry has the key of the last one that was added. */
  hasLastKey(entry: Entry): boolean {
    return this.#builder?.hasLastKey(entry) === true
  }

  /** Adds the next entry; key and value are copied. Its kind is not `deferred`. */
  add(entry: Entry): void {
    let builder = this.#builder
    if (
      builder !== undefined &&
      builder.estimatedBytes >= this.#target.tableOptions.tableBytes &&
      !builder.hasLastKey(entry)
    ) {
      const { keyBytes, keyStart, keyEnd } = entry
      builder = this.#cutTable(builder, keyBytes.slice(keyStart, keyEnd))
    }
    builder ??= this.#beginTable()
    builder.add(entry)
    this.#entries++
  }

  /** Adds the next range tombstone. Requires: all entries that were added lie before it. */
  addRange(fragment: RangeFragment): void {
    let builder = this.#builder
    const { tableBytes } = this.#target.tableOptions
    if (builder !== undefined && builder.estimatedBytes >= tableBytes)
      builder = this.#cutTable(builder, fragment.start)
    builder ??= this.#beginTable()
    builder.addRange(fragment)
  }

  /**
   * Ends a table in front of a key, which it does not have. A range tombstone that reaches further goes on in the next.
   * @returns that one, if it has begun
   */
  #cutTable(builder: TableBuilder, key: Uint8Array): TableBuilder | undefined {
    const rest = builder.takeRangeFrom(key)
    if (builder.isEmpty) {
      builder.addRange(rest!)
      return builder
    }
    this.#endTable(builder)
    if (rest === undefined) return undefined
    const next = this.#beginTable()
    next.addRange(rest)
    return next
  }

  /** The run, in key order; empty if nothing was added. */
  finish(): readonly BuiltTable[] {
    if (this.#builder) this.#endTable(this.#builder)
    this.#finished = true
    return this.#tables
  }

  /** Syncs what has ended, if that is done aside: yields promises to wait for. @throws WISC_SYNC_FAILED */
  *syncSlices(): Generator<Promise<void>, void> {
    for (let file = this.#unsynced[0]; file !== undefined; file = this.#unsynced[0]) {
      yield syncAside(file)
      this.#unsynced.shift()
      file.close()
    }
  }

  /**
   * Ends the work. What is not finished is unlinked: nobody knows of it.
   * @param error why it ended early; after a failed sync nothing is unlinked
   */
  close(error?: unknown): void {
    const file = this.#file
    this.#file = undefined
    this.#builder = undefined
    file?.close()
    const isWhole = this.#finished && this.#unsynced.length === 0
    for (const unsynced of this.#unsynced.splice(0)) unsynced.close()
    if (isWhole || toWiscError(error).code === 'WISC_SYNC_FAILED') return
    for (const path of this.#paths.splice(0)) unlinkIfPossible(this.#ports.fileSystem, path)
  }

  /** Begins the file of a table that somebody else writes, and hands over when it has ended. */
  create(): NewTable {
    const { directory, databaseId } = this.#target
    const { fileSystem, random } = this.#ports
    const number = this.#numbers.take()
    const path = joinPath(directory, tableName(number))
    const file = fileSystem.open(path, 'create')
    this.#file = file
    this.#paths.push(path)
    return { file, identity: { kind: 'table', databaseId, number, salt: randomU32(random) } }
  }

  /** The table of the file that was begun last has all its entries. */
  end(table: Pick<TableBuilder, 'entries' | 'finish'>): void {
    this.#entries += table.entries
    this.#endTable(table)
  }

  #beginTable(): TableBuilder {
    const { file, identity } = this.create()
    const { tableOptions } = this.#target
    this.#builder = new TableBuilder(file, identity, tableOptions, this.#baseSequence)
    keepUntilNext('table of a run', this.#builder)
    return this.#builder
  }

  #endTable(builder: Pick<TableBuilder, 'finish'>): void {
    const { syncsAside = false } = this.#ports
    this.#tables.push(builder.finish(!syncsAside))
    const file = this.#file
    this.#file = undefined
    this.#builder = undefined
    if (file && syncsAside) this.#unsynced.push(file)
    else file?.close()
  }
}

/** Bytes and size of a new file: as much as `sync` makes durable of it. */
async function syncAside(file: File): Promise<void> {
  try {
    await file.dataSyncAsync()
  } catch (error) {
    throw syncFailed(file.path, error)
  }
}
