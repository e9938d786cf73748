/**
 * The version set: the current version, and the manifest that makes its changes durable. Main
 * thread only.
 *
 * The order of steps of an edit, and what it keeps:
 *   1. The edit is applied to the last version in memory; one that does not fit is refused, nothing
 *      is written.
 *   2. If it adds tables, relocations or streams, the directory is synced: their names are durable (I4; who
 *      made them has synced their bytes. The log does both itself before it adds a segment).
 *   3. The edit is appended to the manifest and synced. Edits that arrive meanwhile share the next
 *      write and sync.
 *   4. Only then the new version is installed, and the promise resolves.
 *   5. Files that it dropped are reported when no older version is pinned (I5). They may be
 *      unlinked then.
 *
 * Beginning a new manifest (a new store, every writable open, after a failed write, when it has
 * grown). Until CURRENT is renamed the old one is in use: one that has only grown goes on if a call
 * before that is refused, for a full disk has room for edits when it has none for a whole version.
 *   1. The file is written with the whole version, the new edits in it, and synced, and its name is
 *      made durable. A large version is written piece by piece, and the event loop turns in between;
 *      edits that arrive meanwhile wait for the end of step 2.
 *   2. CURRENT.tmp is written and synced. The old manifest gets no more edits, and nothing is reported
 *      obsolete. CURRENT is replaced, durably (current.ts).
 *   3. Only then the old manifest is reported obsolete, and what was held back with it: until
 *      CURRENT names the new one, a crash may leave either as the live one.
 *
 * A failed write: the edits in flight and those behind them are rejected, their outcome after a
 * crash is unknown, and the next edit begins a new manifest. A failed sync: poisoned for good,
 * everything is rejected.
 */
import { assert, mayPass, syncFailed, toWiscError, WiscError } from '../../base/errors.ts'
import { FileNumbers } from '../../base/files/file-numbers.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import type { FileNumber, SegmentNumber, VersionNumber } from '../../base/ids.ts'
import { type Random, randomU32 } from '../../base/random.ts'
import { readCurrent, writeCurrent } from './current.ts'
import { firstVersion } from './first-version.ts'
import { ManifestWriter } from './manifest.ts'
import { type ReadManifest, readManifest } from './manifest-reader.ts'
import { type ObsoleteFile, ObsoleteFiles, type PinnedVersion } from './obsolete-files.ts'
import { EMPTY_VERSION, type Version } from './version.ts'
import { applyEdit } from './version-builder.ts'
import type { VersionEdit } from './version-edit.ts'

/**
 * A manifest that is longer than this, and than four times its beginning, is replaced by a new one.
 */
const MANIFEST_BYTES_BEFORE_NEW = 4 * 1024 * 1024
/** Where no new one could be made, it is tried again when it has grown by so much, and by its beginning. */
const MORE_BYTES_BEFORE_NEW = 1024 * 1024

export interface VersionSetContext {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly databaseId: Uint8Array
  readonly random: Random
}

interface PendingEdit {
  readonly edit: VersionEdit
  readonly resolve: (version: Version) => void
  readonly reject: (error: WiscError) => void
}

export class VersionSet {
  readonly #context: VersionSetContext
  readonly #obsolete: ObsoleteFiles
  /** Numbers for new files and runs. An edit makes durable that those taken before it are used up. */
  readonly fileNumbers: FileNumbers = new FileNumbers()
  #current: Version
  #durableEdit: VersionNumber
  #writer: ManifestWriter | undefined
  #firstBytes = 0
  /** A manifest that is longer is replaced. */
  #bytesBeforeNew = 0
  /** What CURRENT may name until a new manifest is named durably. */
  #oldManifests: FileNumber[]
  #pending: PendingEdit[] = []
  #running: Promise<void> | undefined
  #poison: WiscError | undefined
  #installed: () => void = () => {}
  #notReplaced: (error: WiscError) => void = () => {}

  private constructor(context: VersionSetContext, version: Version, oldManifests: FileNumber[]) {
    this.#context = context
    this.#current = version
    this.fileNumbers.skip(version.nextFileNumber - 1)
    this.#durableEdit = version.id
    this.#oldManifests = oldManifests
    this.#obsolete = new ObsoleteFiles(version)
    this.#obsolete.hold(true)
  }

  /** A new database in an empty directory. Its first version is durable when this resolves. */
  static async create(
    context: VersionSetContext,
    firstEdit: VersionEdit = {},
  ): Promise<VersionSet> {
    const set = new VersionSet(context, EMPTY_VERSION, [])
    // The manifest itself takes a number: a creation that was cut off may have left one with a lower number.
    if (firstEdit.nextFileNumber !== undefined) set.fileNumbers.skip(firstEdit.nextFileNumber - 1)
    try {
      await set.apply(firstEdit)
    } catch (error) {
      await set.close()
      throw error
    }
    return set
  }

  /**
   * What CURRENT and its manifest say, or undefined if there is no CURRENT. Writes nothing.
   * @throws CorruptionError, WISC_FORMAT_VERSION, or IoError
   */
  static read(fileSystem: FileSystem, directory: string): ReadManifest | undefined {
    const current = readCurrent(fileSystem, directory)
    if (!current) return undefined
    return readManifest(fileSystem, directory, current.manifestNumber, current.databaseId)
  }

  /**
   * Goes on from a manifest that was read. Numbers can be allocated at once; the first edit that is
   * applied, which may be empty, begins a new manifest. Before that has resolved nothing is
   * reported obsolete, and nothing may be unlinked.
   */
  static recover(context: VersionSetContext, read: ReadManifest): VersionSet {
    const set = new VersionSet(context, read.version, [read.number])
    set.fileNumbers.skip(read.number)
    return set
  }

  get current(): Version {
    return this.#current
  }

  /** Number of the last durable edit. */
  get durableEdit(): VersionNumber {
    return this.#durableEdit
  }

  /** Versions that something pins, the current one included. */
  get versionCount(): number {
    return this.#obsolete.versionCount
  }

  /** Pins the current version with all its files. */
  pin(): PinnedVersion {
    return this.#obsolete.pin('everything')
  }

  /** Pins the tables of the current version; files of its value log may go. */
  pinTables(): PinnedVersion {
    return this.#obsolete.pin('tables')
  }

  /** Called once for each file that may be unlinked now (I5). There is one callback. */
  onObsolete(callback: (file: ObsoleteFile) => void): void {
    this.#obsolete.onObsolete(callback)
  }

  /** Called after each edit that was made durable, when its version is the current one. There is one callback. */
  onInstalled(callback: () => void): void {
    this.#installed = callback
  }

  /** Called when a manifest that has grown goes on, because no new one can be made. There is one callback. */
  onNotReplaced(callback: (error: WiscError) => void): void {
    this.#notReplaced = callback
  }

  /**
   * Gives up a new file whose edit was rejected. It is reported obsolete when no crash can bring the edit back: at
   * once, or, in doubt, when the next manifest is named durably.
   */
  discard(file: ObsoleteFile): void {
    const { tables, files } = this.#current
    const isHeld = file.kind === 'table' ? tables.has(file.number) : files.has(file.number)
    assert(!isHeld, 'a file of the current version is not given up')
    this.#obsolete.add(file)
  }

  /** A sync has failed somewhere: nothing is written any more (the failure rules of a sync). */
  poison(error: WiscError): void {
    this.#poison ??= error
    this.#obsolete.hold(true)
  }

  /**
   * Makes an edit durable and installs the version that it makes. Edits take effect in the order of
   * the calls.
   * @returns the version that is current then
   * @throws WISC_SYNC_FAILED: poisoned. WISC_IO, WISC_DISK_FULL: this edit and those behind it
   *   failed, the next may succeed. WISC_INTERNAL: the edit does not fit
   */
  apply(edit: VersionEdit): Promise<Version> {
    if (this.#poison) return Promise.reject(this.#poison)
    return new Promise((resolve, reject) => {
      this.#pending.push({ edit, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Waits for the edits under way and closes the manifest. A second call does nothing. */
  async close(): Promise<void> {
    await this.#running
    this.#poison ??= new WiscError('WISC_NOT_OPEN', 'the store is closed')
    this.#obsolete.hold(true)
    this.#writer?.close()
    this.#writer = undefined
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending
      this.#pending = []
      try {
        await this.#commit(batch)
      } catch (error) {
        this.#fail(toWiscError(error), batch)
      }
    }
    this.#running = undefined
  }

  async #commit(batch: readonly PendingEdit[]): Promise<void> {
    this.#checkPoison()
    const edits: VersionEdit[] = []
    const dropped: ObsoleteFile[] = []
    let version = this.#current
    const fitting: PendingEdit[] = []
    for (const pending of batch) {
      const edit = { ...pending.edit, nextFileNumber: this.fileNumbers.next }
      try {
        const next = applyEdit(version, edit, version.id + 1)
        dropped.push(...droppedFiles(version, next, edit))
        version = next
      } catch (error) {
        // A bug of whoever made it: nothing is written of it, and the others are none the worse for it.
        pending.reject(toWiscError(error))
        continue
      }
      edits.push(edit)
      fitting.push(pending)
    }
    if (fitting.length === 0) return
    const addsFiles = edits.some(
      ({ addedTables, addedFiles }) =>
        addedTables?.length || addedFiles?.some(({ role }) => role !== 'log'),
    )
    if (addsFiles) await this.#syncDirectory()
    if (!this.#writer) await this.#beginManifest(version)
    else if (this.#writer.length <= this.#bytesBeforeNew) await this.#append(this.#writer, edits)
    else await this.#replaceManifest(this.#writer, version, edits)
    this.#checkPoison()
    // The edits are durable: whatever fails from here on, they have not, and their files are not given up.
    this.#current = version
    this.#durableEdit = version.id
    for (const { resolve } of fitting) resolve(version)
    this.#obsolete.supersede(version, dropped)
    this.#installed()
    this.#obsolete.hold(false)
    for (const number of this.#oldManifests.splice(0)) {
      this.#obsolete.add({ kind: 'manifest', number })
    }
  }

  async #syncDirectory(): Promise<void> {
    try {
      await this.#context.fileSystem.syncDirectoryAsync(this.#context.directory)
    } catch (error) {
      throw syncFailed(this.#context.directory, error)
    }
    this.#checkPoison()
  }

  async #append(writer: ManifestWriter, edits: readonly VersionEdit[]): Promise<void> {
    try {
      writer.append(edits)
    } catch (error) {
      // What it left behind is never read: the next edit begins a new manifest.
      this.#abandonWriter(writer)
      throw error
    }
    await writer.sync()
  }

  #abandonWriter(writer: ManifestWriter): void {
    this.#oldManifests.push(writer.number)
    this.#writer = undefined
    this.#obsolete.hold(true)
    writer.close()
  }

  /** Begins a new manifest, or appends to the old one if no new one could be made. */
  async #replaceManifest(
    old: ManifestWriter,
    version: Version,
    edits: readonly VersionEdit[],
  ): Promise<void> {
    try {
      await this.#beginManifest(version)
    } catch (cause) {
      const error = toWiscError(cause)
      // Without its writer either may be named by CURRENT.
      if (this.#writer !== old || !mayPass(error)) throw error
      this.#checkPoison()
      this.#notReplaced(error)
      this.#bytesBeforeNew = old.length + Math.max(MORE_BYTES_BEFORE_NEW, this.#firstBytes)
      await this.#append(old, edits)
    }
  }

  /** At open, after a failure, and once in some ten thousand edits. */
  async #beginManifest(version: Version): Promise<void> {
    const { fileSystem, directory, databaseId, random } = this.#context
    const number = this.fileNumbers.take()
    const identity = { kind: 'manifest' as const, databaseId, number, salt: randomU32(random) }
    const pieces = this.#unlessPoisoned(
      firstVersion({ ...version, nextFileNumber: this.fileNumbers.next }),
    )
    const writer = await ManifestWriter.create(fileSystem, directory, identity, pieces, version.id)
    const old = this.#writer
    try {
      this.#checkPoison()
      const current = { manifestNumber: number, databaseId }
      await writeCurrent(fileSystem, directory, current, () => old && this.#abandonWriter(old))
    } catch (error) {
      if (this.#writer) writer.discard(fileSystem, error)
      else {
        writer.close()
        this.#oldManifests.push(number)
      }
      throw error
    }
    this.#writer = writer
    this.#firstBytes = writer.length
    this.#bytesBeforeNew = Math.max(MANIFEST_BYTES_BEFORE_NEW, 4 * writer.length)
  }

  /** The event loop turns between one piece and the next: a sync may have failed meanwhile. */
  *#unlessPoisoned<Piece>(pieces: Iterable<Piece>): Generator<Piece, void> {
    for (const piece of pieces) {
      this.#checkPoison()
      yield piece
    }
  }

  #fail(error: WiscError, batch: readonly PendingEdit[]): void {
    if (error.code === 'WISC_SYNC_FAILED') this.poison(error)
    // Those behind it, too: they were made in the belief that it would succeed.
    const rejected = [...batch, ...this.#pending]
    this.#pending = []
    for (const { reject } of rejected) reject(error)
  }

  #checkPoison(): void {
    if (this.#poison) throw this.#poison
  }
}

/**
 * The files that an edit has made useless. A table that is removed and added has only moved; a file of the value log
 * goes with the last segment that it held.
 */
function droppedFiles(before: Version, after: Version, edit: VersionEdit): ObsoleteFile[] {
  const dropped: ObsoleteFile[] = []
  for (const number of edit.removedTables ?? []) {
    if (!after.tables.has(number)) dropped.push({ kind: 'table', number })
  }
  const left = new Set<FileNumber>()
  const leave = (segment: SegmentNumber): void => {
    const holder = before.segments.get(segment)
    if (holder !== undefined && !after.files.has(holder)) left.add(holder)
  }
  for (const segment of edit.removedSegments ?? []) leave(segment)
  for (const file of edit.addedFiles ?? []) {
    if (file.role === 'relocation') for (const { segment } of file.parts) leave(segment)
  }
  for (const number of left) dropped.push({ kind: 'segment', number })
  return dropped
}
