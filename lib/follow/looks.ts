/** When a store that follows its writer looks for news, and what becomes of looks that fail. */
import type { EventEmitter } from 'node:events'
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { DirectoryWatch } from '../base/files/file-system.ts'
import { emitSafely } from '../contract/events.ts'
import { Attempts } from '../reads/read-again.ts'

/** Between two looks. What is written is shown within twice as much, unless the process has no time. */
const LOOK_MS = 50
/** Between looks that fail for a reason that stays. */
const FAILED_LOOK_MS = 1000
/** When so many have brought nothing the file system is to tell of the next change: an idle follower sleeps. */
const IDLE_LOOKS = 20
/** Between looks while it is: none is needed, but to find out that it has not told. */
const WATCHED_LOOK_MS = 1000

export interface LooksParts {
  readonly events: EventEmitter
  /**
   * @param isAnew the last one has failed: nothing is relied on that was read before
   * @returns whether there was news
   */
  look(isAnew: boolean): Promise<boolean>
  /** Tells of the next change of the store; undefined where that is not sure. */
  watch(changed: () => void): DirectoryWatch | undefined
}

export class Looks {
  readonly #parts: LooksParts
  #watch: DirectoryWatch | undefined
  /** There is none, or it has not told of something. */
  #cannotWatch = false
  /** A look has been taken since it began. */
  #isWatched = false
  /** A look has found news of which it has not told yet. */
  #hasUntold = false
  /** In a row, those that have brought nothing. */
  #idleLooks = 0
  #timer: NodeJS.Timeout | undefined
  #keepsAlive = false
  #isClosed = false
  /** Of looks that have failed since one has not. */
  #attempts: Attempts | undefined
  #error: WiscError | undefined

  constructor(parts: LooksParts) {
    this.#parts = parts
  }

  /** Why nothing new is shown. */
  get error(): WiscError | undefined {
    return this.#error
  }

  begin(): void {
    this.#lookIn(LOOK_MS)
  }

  /** A process that waits for news is kept alive, one that reads now and then is not. */
  keepAlive(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive
    if (keepsAlive) this.#timer?.ref()
    else this.#timer?.unref()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#endWatch()
  }

  #lookIn(ms: number): void {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#lookNow(), ms)
    if (!this.#keepsAlive) this.#timer.unref()
  }

  async #lookNow(): Promise<void> {
    this.#timer = undefined
    try {
      const hasNews = await this.#parts.look(this.#attempts !== undefined)
      this.#attempts = undefined
      this.#error = undefined
      this.#noteNews(hasNews)
    } catch (error) {
      this.#endWatch()
      this.#noteFailure(error)
    }
    if (this.#error) this.#lookIn(FAILED_LOOK_MS)
    else this.#lookIn(this.#isWatched ? WATCHED_LOOK_MS : LOOK_MS)
  }

  #noteNews(hasNews: boolean): void {
    this.#idleLooks = hasNews ? 0 : this.#idleLooks + 1
    if (this.#watch) this.#judgeWatch(hasNews)
    else if (this.#idleLooks >= IDLE_LOOKS && !this.#cannotWatch) this.#beginWatch()
  }

  /** It may tell of news later than a look that has found them, but before the next one. */
  #judgeWatch(hasNews: boolean): void {
    if (this.#hasUntold) {
      this.#cannotWatch = true
      this.#endWatch()
    } else if (!this.#isWatched && hasNews) {
      // It may have been written before the watch began.
      this.#endWatch()
    } else {
      this.#hasUntold = hasNews
      this.#isWatched = !hasNews
    }
  }

  /** What has changed before it tells the next look sees. */
  #beginWatch(): void {
    if (this.#isClosed) return
    this.#watch = this.#parts.watch(() => this.#changed())
    if (!this.#watch) this.#cannotWatch = true
  }

  #endWatch(): void {
    this.#watch?.close()
    this.#watch = undefined
    this.#isWatched = false
    this.#hasUntold = false
  }

  #changed(): void {
    if (!this.#watch) return
    this.#endWatch()
    this.#idleLooks = 0
    // One that is under way is followed by another soon.
    if (this.#timer) this.#lookIn(0)
  }

  /** What fails beside a writer is looked at again; what stays is told once. */
  #noteFailure(error: unknown): void {
    if (this.#isClosed || this.#error) return
    const { events } = this.#parts
    this.#attempts ??= new Attempts()
    try {
      this.#attempts.again(error)
    } catch (failure) {
      this.#error = toWiscError(failure)
      if (events.listenerCount('error') > 0) emitSafely(events, 'error', this.#error)
    }
  }
}
