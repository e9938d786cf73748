/**
 * The file-system interface: the only door between the store and the disk.
 *
 * `node-file-system.ts` is the real one; tests put a fault-injecting one in its place, so whatever the
 * store asks of the disk must be asked here. Every method throws (or rejects with) an `IoError`.
 *
 * Writes are positional and complete: a short write is an error (the platform reports it with none).
 * A failed sync is never retried by anyone; one that could not begin, because no descriptor was left to open a
 * directory with, has not failed. Names are joined by the callers, with `joinPath`.
 */

/**
 * `create` fails if the name exists. `read` and `punch` want a regular file that is there; `punch` is for reads
 * and holes, not for writes. No mode follows a link.
 */
export type OpenMode = 'create' | 'read' | 'punch'

export interface File {
  readonly path: string
  /**
   * Reads `length` bytes at `position` into `target` from `targetOffset` on; less only at the end of the file.
   * @returns the bytes read
   */
  read(target: Uint8Array, targetOffset: number, length: number, position: number): number
  /** The same through the thread pool. */
  readAsync(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): Promise<number>
  /** Writes `length` bytes of `source`, all of them or it throws. */
  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void
  /** Writes the sources one behind the other, all of them or it throws. */
  writev(sources: readonly Uint8Array[], position: number): void
  /** The same through the thread pool. The sources must not change before it settles. */
  writevAsync(sources: readonly Uint8Array[], position: number): Promise<void>
  /** fdatasync: bytes and size. For appended data. */
  dataSync(): void
  dataSyncAsync(): Promise<void>
  /** fsync: for a file that is written once and whole. */
  sync(): void
  /**
   * Gives the blocks of [offset, offset + length) back to the file system: they read as zeros then, and the size
   * stays. For a file that was opened to `punch`; both bounds are multiples of `blockBytes`, inside the file.
   * Whoever punches asks `stat()` of this same open file first and leaves one with `links` other than 1 alone:
   * the bytes are somebody else's as well, a hard-linked backup's for instance. A failed call may have made
   * some of the blocks a hole; none is sure to stay one after a power cut before the next `sync`.
   * @returns false if the platform or the file system has no holes; then nothing has changed
   */
  punch(offset: number, length: number): boolean
  stat(): FileStat
  /** Closes, after the calls that are in flight; a second call does nothing. */
  close(): void
}

export interface FileStat {
  /** Bytes of the file. */
  readonly size: number
  /** Bytes that the file system has allocated for it; a hole takes none. */
  readonly allocated: number
  /** Names that the file has. */
  readonly links: number
  /** The unit of allocation, at least 4096: what `punch` takes is a multiple of it. */
  readonly blockBytes: number
}

/** What has a name. */
export interface PathStat extends FileStat {
  readonly kind: 'file' | 'directory' | 'other'
}

/** What a file or directory is, whatever its name. */
export interface SystemIdentity {
  /** As long as it exists, or somebody has it open, nothing else has the same. */
  readonly id: string
  /** Another one after each write. */
  readonly stamp: string
  /** Bytes of a file. */
  readonly size: number
}

/** A directory that is open. */
export interface HeldDirectory {
  /** Closes it, after the syncs that are in flight; a second call does nothing. */
  release(): void
}

/** A held lock; the system drops it when the process ends. */
export interface Lock {
  release(): void
}

/** Why a lock was not given. */
export interface LockRefusal {
  /** The text of the one who holds it (lock.ts), or what else is known of it. */
  readonly holder: string
  /** Nobody can say from here whether the holder still lives. */
  readonly inDoubt?: boolean
  /** It is the process that asks. */
  readonly isSelf?: boolean
  /** When the text was written, for people. */
  readonly since?: string
}

/** Help with many reads at once: others read beside the caller. Each batch lies between `begin` and `end`. */
export interface ReadHelper {
  /** @returns false if there is no help for this batch */
  begin(): boolean
  /**
   * Offers a read of a batch with help.
   * @returns its place in the batch; -1 if it is not taken
   */
  offer(file: File, length: number, position: number): number
  /** Everything was offered: others begin at the last place. */
  share(): void
  /** Whether somebody has read a place: it is to be taken then. Else the caller reads by itself. */
  wasRead(place: number): boolean
  /** Copies the bytes of a place that was read. */
  take(place: number, target: Uint8Array, targetOffset: number): void
  /**
   * Whatever was not taken is given up.
   * @param reads that were made meanwhile, whoever made them; 0 if their time says nothing
   */
  end(reads: number): void
}

/** Ends when it is closed, and keeps no process alive. */
export interface DirectoryWatch {
  close(): void
}

export interface FileSystem {
  /** @throws IoError with errno EEXIST (create), ENOENT (read, punch), ELOOP or EINVAL for what is no regular file */
  open(path: string, mode: OpenMode): File
  /** The mode of files that it makes, if it has one. */
  readonly fileMode?: number | undefined
  /** Who helps with many reads of its files, if anybody does. */
  readonly readHelper?: ReadHelper | undefined
  /** Reads may have to wait for a disk; what was read stays in memory for a while. */
  readonly keepsPages?: boolean | undefined
  /** Makes one directory: who may read its files may search it. @returns false if it was there */
  makeDirectory(path: string): boolean
  /** Names in a directory, in no order. */
  list(path: string): string[]
  /** undefined if nothing has that name. */
  statPath(path: string): PathStat | undefined
  /** What has a name; a link is not followed. undefined if nothing has it. */
  identify(path: string): SystemIdentity | undefined
  /**
   * Tells of each change in a directory, whichever process makes it, until it is closed.
   * @returns undefined where that is not sure
   */
  watch?(directory: string, changed: () => void): DirectoryWatch | undefined
  /** The path with every link resolved. */
  realPath(path: string): string
  /** Replaces the target in one step. */
  rename(source: string, target: string): void
  unlink(path: string): void
  /** The same through the thread pool: freeing a large file's blocks takes some 50 ms. */
  unlinkAsync(path: string): Promise<void>
  /** Keeps a directory open until it is released: until then its syncs need no descriptor. */
  holdDirectory(path: string): HeldDirectory
  /**
   * Makes the names in a directory durable.
   * @throws IoError of the operation 'open' if the sync could not begin; of any other, the sync has failed
   */
  syncDirectory(path: string): void
  syncDirectoryAsync(path: string): Promise<void>
  /** Bytes that may still be written on the file system that holds the path. */
  freeBytes(path: string): number
  /**
   * Takes the writer's lock on `path` and leaves `text` in the file for people to read.
   * @param dead the text of a holder that is known to be gone (`LockRefusal.holder`)
   * @returns the lock, or who holds it
   */
  lock(path: string, text: string, dead?: string): Lock | LockRefusal
}
