/**
 * The ground that a writer stands on: the directory, LOCK and CURRENT of its store.
 *
 * A directory may be removed, renamed or replaced while a store is open in it, its LOCK may be removed, a snapshot may
 * be put in its place. Then names lead to files of somebody else, or to none, and the lock keeps nobody away. So before
 * each sync, edit, create, rename, run of holes and unlink, and each MiB of log, it is asked whether the directory and
 * LOCK still are those that the lock was taken in, and CURRENT and the manifest what this writer has made of them: four
 * calls of some microseconds in all. Once one is not, the ground is lost for good. Between the question and what
 * follows it there are microseconds: what goes through descriptors that are open reaches nobody else's files then, and
 * a name that is made or removed is one of a number that the other store has hardly given yet.
 *
 * What cannot be asked (a parent directory that may not be searched any more) counts as unchanged: the calls that
 * follow fail by themselves.
 */
import { IoError } from '../errors.ts'
import { CURRENT_NAME, joinPath, LOCK_NAME } from './file-names.ts'
import type { FileSystem, SystemIdentity } from './file-system.ts'

/** Plain data, for jobs in other threads. */
export interface GroundMarks {
  readonly directory: string
  readonly directoryId: string | undefined
  readonly lockId: string | undefined
}

/** A file that this writer has made, and how much of it is written. */
export interface WrittenFile {
  readonly path: string
  readonly id: string | undefined
  readonly end: number
}

/** CURRENT as this writer has left it; one of a new store is not there yet. */
interface KnownCurrent {
  identity: SystemIdentity | undefined
  readonly text: string
}

const LOG_BYTES_UNASKED = 1024 * 1024
/** CURRENT is no longer than this: one read has all of it. */
export const CURRENT_BYTES_MAX: number = 4096
const STALE = 'ESTALE'

export class Ground {
  readonly marks: GroundMarks
  readonly #fileSystem: FileSystem
  readonly #lockPath: string
  readonly #currentPath: string
  /** Undefined for a job: whoever started it asks before anything is made of its result. */
  #current: KnownCurrent | undefined
  #manifest: WrittenFile | undefined
  #bytes = 0
  #lost: IoError | undefined
  #onLost: (error: IoError) => void = () => undefined

  /** @param fileSystem the one that lies below the guard */
  constructor(fileSystem: FileSystem, marks: GroundMarks) {
    this.#fileSystem = fileSystem
    this.marks = marks
    this.#lockPath = joinPath(marks.directory, LOCK_NAME)
    this.#currentPath = joinPath(marks.directory, CURRENT_NAME)
  }

  /** The ground of a writer, as it is now. Requires: the lock is held. */
  static ofWriter(fileSystem: FileSystem, directory: string): Ground {
    const ground = new Ground(fileSystem, {
      directory,
      directoryId: fileSystem.identify(directory)?.id,
      lockId: fileSystem.identify(joinPath(directory, LOCK_NAME))?.id,
    })
    ground.currentReplaced()
    return ground
  }

  /** Called once, at once, when the ground is found to be lost, or now if it is. There is one callback. */
  onLost(callback: (error: IoError) => void): void {
    this.#onLost = callback
    if (this.#lost) callback(this.#lost)
  }

  /** @throws IoError (ESTALE) if the ground is lost */
  check(): void {
    const lost = this.findLoss()
    if (lost) throw lost
  }

  /** Why the ground is lost, if it is. */
  findLoss(): IoError | undefined {
    if (this.#lost) return this.#lost
    this.#bytes = 0
    const what = this.#whatChanged()
    return what === undefined ? undefined : this.#lostBy(what)
  }

  /** Before so many bytes are written to the log. @throws as {@link check} */
  beforeLogWrite(bytes: number): void {
    if (this.#lost) throw this.#lost
    this.#bytes += bytes
    if (this.#bytes >= LOG_BYTES_UNASKED) this.check()
  }

  /** This writer has put a CURRENT in place, or begins with the one that is there. */
  currentReplaced(): void {
    const identity = this.#identify(this.#currentPath)
    this.#current =
      identity === 'unknown' ? undefined : { identity, text: this.#readCurrent() ?? '' }
  }

  /** From now on this file must be there with at least so many bytes. */
  watchManifest(file: WrittenFile): void {
    this.#manifest = file
  }

  /** It is not used any more. */
  forgetManifest(path: string): void {
    if (this.#manifest?.path === path) this.#manifest = undefined
  }

  /** Whether a file that was written is where it was. @throws as {@link check} */
  checkWritten(file: WrittenFile): void {
    const what = this.#lost ? undefined : this.#whatChangedIn(file)
    if (what !== undefined) this.#lostBy(what)
    if (this.#lost) throw this.#lost
  }

  #whatChangedIn({ path, id, end }: WrittenFile): string | undefined {
    const found = this.#identify(path)
    if (found === 'unknown') return undefined
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (found?.id !== id) return `${name} was removed or replaced`
    // A snapshot that is copied over the files where they lie leaves everything its identity.
    return found !== undefined && found.size < end ? `${name} was written over` : undefined
  }

  #lostBy(what: string): IoError {
    const message =
      `${what} while the store was open: this handle writes nothing any more, ` +
      'close it and open the store again'
    this.#lost = new IoError('check', this.marks.directory, STALE, { message })
    this.#onLost(this.#lost)
    return this.#lost
  }

  #whatChanged(): string | undefined {
    const { directory, directoryId, lockId } = this.marks
    const found = this.#identify(directory)
    if (found === undefined) return 'the directory was removed or renamed'
    if (found !== 'unknown' && found.id !== directoryId)
      return 'the directory was replaced by another'
    const lock = this.#identify(this.#lockPath)
    if (lock === undefined) return 'LOCK was removed'
    if (lock !== 'unknown' && lock.id !== lockId) return 'LOCK was replaced by another'
    const current = this.#current && this.#whatChangedInCurrent(this.#current)
    return current ?? (this.#manifest && this.#whatChangedIn(this.#manifest))
  }

  #whatChangedInCurrent(current: KnownCurrent): string | undefined {
    const found = this.#identify(this.#currentPath)
    if (found === 'unknown') return undefined
    const known = current.identity
    if (found === undefined || known === undefined) {
      return found === known ? undefined : 'CURRENT was removed, or made by somebody else'
    }
    if (found.id === known.id && found.stamp === known.stamp) return undefined
    // Replaced, or merely touched; and a file that nobody has open may be known by another number some day.
    const text = this.#readCurrent()
    if (text !== undefined && text !== current.text) return 'CURRENT was replaced by another'
    if (text !== undefined) current.identity = found
    return undefined
  }

  #identify(path: string): SystemIdentity | undefined | 'unknown' {
    try {
      return this.#fileSystem.identify(path)
    } catch {
      return 'unknown'
    }
  }

  /** undefined if it cannot be read. */
  #readCurrent(): string | undefined {
    try {
      const file = this.#fileSystem.open(this.#currentPath, 'read')
      try {
        const bytes = Buffer.alloc(CURRENT_BYTES_MAX)
        return bytes.toString('latin1', 0, file.read(bytes, 0, bytes.length, 0))
      } finally {
        file.close()
      }
    } catch {
      return undefined
    }
  }
}
