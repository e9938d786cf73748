/**
 * Prepares the next segment ahead, so that rotation waits for nothing.
 *
 * The order (I1, I4): create the empty file, make its name durable, make the edit that adds it durable. Only then it is
 * handed out, and only what is handed out is written to. An edit that was refused may be durable nevertheless, so its
 * file stays, and is the one that the next attempt adds: however often edits are refused, no more files are made.
 */
import { syncFailed, toWiscError, type WiscError } from '../../lib/base/errors.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import { unlinkIfPossible } from '../../lib/base/files/unlink.ts'
import type { LogOrdinal } from '../../lib/base/ids.ts'
import { randomU32 } from '../../lib/base/random.ts'
import type { Signal } from '../../lib/base/signal.ts'
import type { LogStart, OpenSegment } from './log-parts.ts'
import type { LogSyncer } from './log-syncer.ts'

export class SegmentPreparer {
  readonly #start: LogStart
  /** Told when `take` may have another answer. */
  readonly #changed: Signal
  readonly #syncer: Pick<LogSyncer, 'note'>
  #nextOrdinal: LogOrdinal
  #spare: OpenSegment | undefined
  /** Its name is durable; the edit that was to add it was refused. */
  #refused: OpenSegment | undefined
  #preparing: Promise<void> | undefined
  #failure: WiscError | undefined
  /** Someone found no segment and waits. */
  #asked = false
  #closed = false

  constructor(start: LogStart, changed: Signal, syncer: Pick<LogSyncer, 'note'>) {
    this.#start = start
    this.#nextOrdinal = start.nextOrdinal
    this.#changed = changed
    this.#syncer = syncer
  }

  /** The prepared segment, if there is one; another is prepared. Empty, and its last sequence is still to be set. */
  take(): OpenSegment | undefined {
    const spare = this.#spare
    this.#spare = undefined
    // A failure that nobody waited for may be long past: it is tried again before anyone hears of it.
    if (!this.#asked) this.#failure = undefined
    this.#asked = spare === undefined
    if (!this.#failure) this.soon()
    return spare
  }

  /** Prepares one in the background, if there is none. */
  soon(): void {
    if (this.#preparing || this.#spare || this.#closed) return
    this.#failure = undefined
    this.#preparing = this.#start.health
      .withBallast(() => this.#prepare())
      .catch((error: unknown) => {
        this.#failure = this.#syncer.note(error)
      })
      .finally(() => {
        this.#preparing = undefined
        this.#changed.tell()
      })
  }

  /** Resolves when one is there. @throws why it could not be made */
  async ready(): Promise<void> {
    this.soon()
    await this.#preparing
    const failure = this.takeFailure()
    if (failure) throw failure
  }

  /** Why none could be made; cleared by reading it, so that the next attempt is a new one. */
  takeFailure(): WiscError | undefined {
    const failure = this.#failure
    this.#failure = undefined
    // Whoever finds none yet goes on waiting for it.
    if (failure) this.#asked = false
    return failure
  }

  /** Prepares no more. @returns one that was never used, if there is one */
  async close(): Promise<OpenSegment | undefined> {
    this.#closed = true
    await this.#preparing
    const refused = this.#closeRefused()
    if (refused !== undefined) this.#start.edits.discardSegment(refused)
    return this.#spare
  }

  /** Prepares no more. Resolves when nothing is under way. */
  async abandon(): Promise<void> {
    this.#closed = true
    await this.#preparing
    this.#closeRefused()
  }

  #closeRefused(): number | undefined {
    const refused = this.#refused
    this.#refused = undefined
    refused?.file.close()
    return refused?.number
  }

  async #prepare(): Promise<void> {
    this.#refused ??= await this.#create()
    const segment = this.#refused
    const { number, salt, ordinal, file } = segment
    await this.#start.edits.addSegment({ number, salt, ordinal })
    this.#refused = undefined
    this.#spare = segment
    this.#start.readers.adopt(number, file)
  }

  /** Creates the file, and makes its name durable. */
  async #create(): Promise<OpenSegment> {
    const { fileSystem, directory, databaseId, random, edits } = this.#start
    const number = edits.allocateFileNumber()
    const salt = randomU32(random)
    const file = fileSystem.open(joinPath(directory, segmentName(number)), 'create')
    try {
      await fileSystem.syncDirectoryAsync(directory)
    } catch (cause) {
      const error = toWiscError(syncFailed(directory, cause))
      file.close()
      // After a failed sync nothing is unlinked.
      if (error.code !== 'WISC_SYNC_FAILED') unlinkIfPossible(fileSystem, file.path)
      throw error
    }
    const seed = frameSeed({ kind: 'segment', databaseId, number, salt })
    const ordinal = this.#nextOrdinal++
    return { number, salt, ordinal, file, seed, length: 0, lastSequence: 0 }
  }
}
