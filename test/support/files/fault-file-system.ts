/**
 * An in-memory file system that records every step, fails on demand, and loses what was not synced.
 *
 *   store -> FaultFileSystem -> what the process sees (names, bytes)
 *                            -> log of operations -> DiskModel: what a power cut may leave
 *
 * - `calls` counts every call; `faults` is asked before each and may refuse it; `onCall` is a pause between steps.
 * - `log` holds the steps that change the disk, and acknowledgements: crash-states.ts plays them up to any step.
 * - `violations` holds broken rules of order that are visible from here (RULES below). Tests assert that it is empty.
 * - Asynchronous calls settle some turns of the event loop later; a sync covers what was complete when it began.
 *
 * RULES. Bytes are only appended, never written over, without gaps; one write to a file at a time; nothing is asked of
 * a closed file; no open file is unlinked (I5); nothing is synced, unlinked, punched or renamed after a failed sync
 * (I1); a file is renamed only when its bytes are durable (I4); nothing is unlinked or punched in a directory while a
 * rename in it is not durable (I5); only whole blocks of durable bytes are punched, in a file that has one name (I12).
 * BALLAST is exempt, nothing durable refers to it; so is a table whose job was under way when a sync failed.
 */
import { IoError } from '#dist/lib/base/errors.js'
import type {
  File,
  FileSystem,
  Lock,
  OpenMode,
  SystemIdentity,
} from '#dist/lib/base/files/file-system.js'
import { Prng } from '../random.ts'
import { BLOCK_BYTES, Content } from './content.ts'
import type { DiskImage, DiskModel, Operation } from './disk-model.ts'
import {
  type Call,
  type CallKind,
  type Fault,
  type FaultFileSystemOptions,
  isBallast,
} from './fault-calls.ts'
import { type FileCalls, faultFile, type OpenedFile } from './fault-file.ts'
import { HeldDirectories } from './held-directories.ts'
import {
  allocatedOn,
  DIRECTORY_STAT,
  type Disk,
  identityOf,
  isHarmless,
  loadDisk,
  punchFaults,
  statOf,
  usedBytes,
  type VisibleFile,
  visibleFile,
  visibleImage,
} from './visible-disk.ts'

/** Nothing more of these after a failed sync. */
const CHANGES: ReadonlySet<CallKind> = new Set([
  'sync',
  'syncDirectory',
  'rename',
  'unlink',
  'punch',
])

export class FaultFileSystem implements FileSystem {
  readonly violations: string[] = []
  faults: ((call: Call) => Fault | undefined) | undefined
  onCall: ((call: Call) => void) | undefined
  /** Takes what is wrong only if something is lost by it, right behind the change: the states of the disk tell. */
  onDoubt: ((rule: string) => void) | undefined
  /** Holds an asynchronous read back: it finds what is there when the promise has resolved. */
  holdRead: ((path: string) => Promise<void>) | undefined
  calls = 0
  capacityBytes: number
  openFiles = 0
  /** Set by the first failed sync: from then on this process may make nothing durable. */
  syncFailed = false
  readonly #disk: Disk
  readonly #prng: Prng
  readonly #ignoreSync: (path: string) => boolean
  readonly #hasHoles: boolean
  readonly #locks: Map<string, string> = new Map()
  readonly #renamesPending: Map<string, number> = new Map()
  readonly #held: HeldDirectories = new HeldDirectories(
    (path) => this.#enter('openDirectory', path),
    (count) => (this.openFiles += count),
  )
  /** After `kill`, whatever the old process still tries fails and changes nothing. */
  #killed = false
  readonly #fileCalls: FileCalls = {
    enter: (kind, path) => this.#enter(kind, path),
    violate: (rule) => this.#violate(rule),
    turns: () => this.#turns(),
    readHeld: async (path) => this.holdRead?.(path),
    beginWrite: (open, bytes, position) => this.#beginWrite(open, bytes, position),
    beginSync: ({ path, file }) => this.#beginSync(path, file),
    punch: (open, position, length) => this.#punch(open, position, length),
    close: ({ file }) => {
      file.openCount = Math.max(0, file.openCount - (this.#killed ? 0 : 1))
      this.openFiles--
    },
  }

  /** @param disk a tree to begin with, or the disk of a killed process */
  constructor(options: FaultFileSystemOptions = {}, disk?: DiskImage | Disk) {
    this.capacityBytes = options.capacityBytes ?? 2 ** 40
    this.#prng = new Prng(options.seed ?? 1)
    this.#ignoreSync = options.ignoreSync ?? (() => false)
    this.#hasHoles = options.withoutHoles !== true
    this.#disk =
      disk !== undefined && 'model' in disk
        ? disk
        : loadDisk(disk ?? { directories: ['/'], files: new Map() }, options.profile)
  }

  get log(): Operation[] {
    return this.#disk.log
  }

  get base(): DiskImage {
    return this.#disk.base
  }

  get model(): DiskModel {
    return this.#disk.model
  }

  /** Records something that the workload knows at this moment, such as an acknowledgement. */
  mark(mark: unknown): void {
    this.#disk.log.push({ kind: 'mark', mark })
  }

  /** What a process sees now, as if all of it were durable. */
  visibleImage(): DiskImage {
    return visibleImage(this.#disk)
  }

  /** What the files take that count, in whole blocks. */
  allocatedBytes(counts: (path: string) => boolean = () => true): number {
    return allocatedOn(this.#disk, counts)
  }

  /** Another program gives a file one more name, somewhere else on the disk. */
  linkElsewhere(path: string): void {
    this.#disk.files.get(path)!.links++
  }

  /** Ends the process: its calls do nothing from now on and its locks are gone; the page cache lives on. */
  kill(options: FaultFileSystemOptions = {}): FaultFileSystem {
    this.#killed = true
    const nobody = { openCount: 0, writesInFlight: 0 }
    for (const file of this.#disk.files.values()) Object.assign(file, nobody)
    return new FaultFileSystem(options, this.#disk)
  }

  /** Counts a call, lets the test look, and refuses it if the test wants so. */
  #enter(kind: CallKind, path: string, bytes: number = 0): Fault | undefined {
    if (this.#killed) return { errno: 'EIO' }
    const call = { index: ++this.calls, kind, path, bytes }
    this.onCall?.(call)
    if (this.syncFailed && CHANGES.has(kind) && !isHarmless(this.#disk, kind, path))
      this.#violate(`${kind} after a failed sync path=${path}`)
    return this.faults?.(call)
  }

  #check(kind: CallKind, path: string): void {
    const fault = this.#enter(kind, path)
    if (fault) throw new IoError(kind, path, fault.errno)
  }

  #violate(rule: string): void {
    this.violations.push(`${rule} call=${this.calls}`)
  }

  #record(operation: Operation, path?: string): void {
    if (this.#killed || (path !== undefined && this.#ignoreSync(path))) return
    this.#disk.log.push(operation)
    this.#disk.model.apply(operation)
  }

  async #turns(): Promise<void> {
    for (let i = this.#prng.below(3); i >= 0; i--) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  }

  #parent(path: string, operation: string): { node: number; directory: string; name: string } {
    const slash = path.lastIndexOf('/')
    const directory = slash <= 0 ? '/' : path.slice(0, slash)
    const node = this.#disk.directories.get(directory)
    if (node === undefined) throw new IoError(operation, path, 'ENOENT')
    return { node, directory, name: path.slice(slash + 1) }
  }

  open(path: string, mode: OpenMode): File {
    this.#check(mode === 'create' ? 'create' : 'open', path)
    if (this.#disk.directories.has(path)) throw new IoError('open', path, 'EINVAL')
    let file = this.#disk.files.get(path)
    if (mode === 'create') {
      if (file) throw new IoError('open', path, 'EEXIST')
      file = this.#createFile(path)
    }
    if (!file) throw new IoError('open', path, 'ENOENT')
    file.openCount++
    this.openFiles++
    return faultFile(this.#fileCalls, { path, file, mode })
  }

  #createFile(path: string): VisibleFile {
    const { node: directory, name } = this.#parent(path, 'open')
    const node = this.#disk.nextNode++
    const file = visibleFile(node, new Content())
    this.#disk.files.set(path, file)
    this.#record({ kind: 'create', directory, name, node })
    return file
  }

  /** Begins a write. @returns what ends it: makes the bytes visible, or fails */
  #beginWrite({ path, file, mode }: OpenedFile, bytes: Uint8Array, position: number): () => void {
    if (mode !== 'create') throw new IoError('write', path, 'EBADF')
    const given = this.#enter('write', path, bytes.length)
    if (this.#killed) throw new IoError('write', path, 'EIO')
    if (file.writesInFlight > 0) this.#violate(`two writes to one file at a time path=${path}`)
    const { size } = file.content
    if (position !== size)
      this.#violate(`write not at the end path=${path} position=${position} size=${size}`)
    const room = Math.max(0, this.capacityBytes - usedBytes(this.#disk))
    const full = room < bytes.length ? { errno: 'ENOSPC', partialBytes: room } : undefined
    const fault = given ?? full
    const reached = fault ? Math.min(bytes.length, fault.partialBytes ?? 0) : bytes.length
    const call = this.#disk.nextCall++
    const { node } = file
    file.writesInFlight++
    this.#record({ kind: 'writeBegin', call, node, position, bytes })
    return () => {
      if (!this.#killed) file.writesInFlight--
      this.#record({ kind: 'writeEnd', call, node, persistent: reached })
      if (reached > 0 && !this.#killed) file.content.write(bytes.subarray(0, reached), position)
      if (this.#killed) throw new IoError('write', path, 'EIO')
      if (fault) throw new IoError('write', path, fault.errno)
    }
  }

  /** The whole of it is done at once; a refused one may have done some blocks from the front on. */
  #punch({ path, file, mode }: OpenedFile, position: number, length: number): boolean {
    if (mode !== 'punch') throw new IoError('punch', path, 'EBADF')
    const fault = this.#enter('punch', path, length)
    if (this.#killed) throw new IoError('punch', path, 'EIO')
    for (const rule of punchFaults(this.#disk, path, position, length)) this.#violate(rule)
    if (!this.#hasHoles && !fault) return false
    const wanted = fault ? Math.min(length, fault.partialBytes ?? 0) : length
    const reached = this.#hasHoles ? wanted - (wanted % BLOCK_BYTES) : 0
    if (reached > 0) {
      file.content.punch(position, reached)
      this.#record({ kind: 'punch', node: file.node, position, length: reached })
    }
    this.#ifRenamePending(path, 'punch')
    if (fault) throw new IoError('punch', path, fault.errno)
    return true
  }

  /**
   * A file was unlinked or punched while a rename in its directory may still be lost, and with it what made the change
   * right. A violation, unless somebody looks into it.
   */
  #ifRenamePending(path: string, what: string): void {
    const { directory } = this.#parent(path, 'rename')
    if ((this.#renamesPending.get(directory) ?? 0) === 0 || isBallast(path)) return
    const rule = `${what} before a rename is durable path=${path}`
    if (this.onDoubt) this.onDoubt(rule)
    else this.#violate(rule)
  }

  #beginSync(path: string, { node }: VisibleFile): () => void {
    const fault = this.#enter('sync', path)
    const call = this.#disk.nextCall++
    this.#record({ kind: 'syncBegin', call, node }, path)
    return () => {
      this.#endSync({ kind: 'syncEnd', call, node, failed: fault !== undefined }, path)
      if (fault) throw new IoError('sync', path, fault.errno)
    }
  }

  #endSync(
    operation: Extract<Operation, { kind: 'syncEnd' | 'syncDirectoryEnd' }>,
    path: string,
  ): void {
    if (operation.failed && !this.#killed && !isBallast(path)) this.syncFailed = true
    this.#record(operation, path)
  }

  makeDirectory(path: string): boolean {
    this.#check('makeDirectory', path)
    if (this.#disk.directories.has(path)) return false
    if (this.#disk.files.has(path)) throw new IoError('mkdir', path, 'ENOTDIR')
    const { node: directory, name } = this.#parent(path, 'mkdir')
    const node = this.#disk.nextNode++
    this.#disk.directories.set(path, node)
    this.#record({ kind: 'makeDirectory', directory, name, node })
    return true
  }

  list(path: string): string[] {
    this.#check('list', path)
    if (!this.#disk.directories.has(path)) throw new IoError('list', path, 'ENOENT')
    const prefix = path === '/' ? '/' : `${path}/`
    const names: string[] = []
    for (const paths of [this.#disk.files.keys(), this.#disk.directories.keys()]) {
      for (const one of paths) {
        const name = one.startsWith(prefix) ? one.slice(prefix.length) : ''
        if (name !== '' && !name.includes('/')) names.push(name)
      }
    }
    return names
  }

  statPath(path: string): ReturnType<FileSystem['statPath']> {
    this.#check('stat', path)
    if (this.#disk.directories.has(path)) return { kind: 'directory', ...DIRECTORY_STAT }
    const file = this.#disk.files.get(path)
    return file && { kind: 'file', ...statOf(file) }
  }

  identify = (path: string): SystemIdentity | undefined => identityOf(this.#disk, path)
  realPath(path: string): string {
    if (this.#disk.directories.has(path) || this.#disk.files.has(path)) return path
    throw new IoError('realpath', path, 'ENOENT')
  }

  rename(source: string, target: string): void {
    this.#check('rename', source)
    const file = this.#disk.files.get(source)
    if (!file) throw new IoError('rename', source, 'ENOENT')
    const { node: directory, directory: path, name } = this.#parent(source, 'rename')
    const to = this.#parent(target, 'rename')
    if (to.node !== directory) throw new Error('the model renames inside one directory only')
    if (this.#disk.model.file(file.node).pending.length > 0) {
      this.#violate(`rename of a file whose bytes are not durable path=${source}`)
    }
    this.#disk.files.delete(source)
    this.#disk.files.set(target, file)
    this.#renamesPending.set(path, (this.#renamesPending.get(path) ?? 0) + 1)
    this.#record({ kind: 'rename', directory, name, target: to.name, node: file.node })
  }

  unlinkAsync: FileSystem['unlinkAsync'] = async (path) => this.unlink(path)
  unlink(path: string): void {
    this.#check('unlink', path)
    const file = this.#disk.files.get(path)
    if (!file) throw new IoError('unlink', path, 'ENOENT')
    const { node: directory, name } = this.#parent(path, 'unlink')
    if (file.openCount > 0) this.#violate(`unlink of an open file path=${path}`)
    this.#disk.files.delete(path)
    this.#record({ kind: 'unlink', directory, name, node: file.node })
    this.#ifRenamePending(path, 'unlink')
  }

  holdDirectory: FileSystem['holdDirectory'] = (path) => this.#held.hold(path)

  syncDirectory(path: string): void {
    this.#beginDirectorySync(path)()
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    const end = this.#beginDirectorySync(path)
    await this.#turns()
    end()
  }

  #beginDirectorySync(path: string): () => void {
    const held = this.holdDirectory(path)
    const fault = this.#enter('syncDirectory', path)
    const node = this.#disk.directories.get(path)
    if (node === undefined) throw new IoError('syncDirectory', path, 'ENOENT')
    const call = this.#disk.nextCall++
    const renames = this.#renamesPending.get(path) ?? 0
    this.#record({ kind: 'syncDirectoryBegin', call, node }, path)
    return () => {
      held.release()
      this.#endSync({ kind: 'syncDirectoryEnd', call, node, failed: fault !== undefined }, path)
      if (fault) throw new IoError('syncDirectory', path, fault.errno)
      this.#renamesPending.set(path, Math.max(0, (this.#renamesPending.get(path) ?? 0) - renames))
    }
  }

  freeBytes(path: string): number {
    this.#check('stat', path)
    return Math.max(0, this.capacityBytes - usedBytes(this.#disk))
  }

  /** The text is left in a file that no model of durability covers: nothing depends on it. */
  lock(path: string, text: string): Lock | { readonly holder: string } {
    this.#check('lock', path)
    const holder = this.#locks.get(path)
    if (holder !== undefined) return { holder }
    if (!this.#disk.files.has(path)) this.#createFile(path)
    this.#locks.set(path, text)
    return { release: () => void this.#locks.delete(path) }
  }
}
