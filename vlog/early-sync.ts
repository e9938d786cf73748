/**
 * Lets the disk take a file while it is still being written, so that the sync at its end has little left to do.
 *
 * One fdatasync at a time runs in the thread pool. Nothing is durable before the sync at the end; but a system tells a
 * failed write-back only once, so an early sync may be the one that hears of it: its failure is that of the file. One
 * that is still under way when the file is given up does not count: nothing was durable because of that file.
 */
import { syncFailed, type WiscError } from '../lib/base/errors.ts'
import type { File } from '../lib/base/files/file-system.ts'

/** An early sync follows so many bytes: some 10 ms of a fast disk. */
const EARLY_BYTES = 8 * 1024 * 1024

/** What several files share, of which one at a time is synced early: the thread pool has other things to do, too. */
export interface SyncGate {
  /** One is synced early; or nothing may be any more. */
  isTaken: boolean
  /** @throws why nothing may be synced any more */
  readonly check: () => void
}

export class EarlySync {
  /** WISC_SYNC_FAILED, once one has failed. */
  failure: WiscError | undefined
  readonly #file: File
  readonly #everyBytes: number
  readonly #gate: SyncGate
  #isRunning = false
  #running: Promise<void> | undefined
  #begunAt = 0

  constructor(
    file: File,
    everyBytes: number = EARLY_BYTES,
    gate: SyncGate = { isTaken: false, check: () => {} },
  ) {
    this.#file = file
    this.#everyBytes = everyBytes
    this.#gate = gate
  }

  /** @throws WISC_SYNC_FAILED if an early sync has failed */
  check(): void {
    if (this.failure) throw this.failure
  }

  /** The file has so many bytes now. @throws WISC_SYNC_FAILED if an early sync has failed */
  written(bytes: number): void {
    this.check()
    if (this.#gate.isTaken || bytes - this.#begunAt < this.#everyBytes) return
    this.#begunAt = bytes
    this.#gate.isTaken = true
    this.#isRunning = true
    this.#running = this.#run()
  }

  /** Yields what has to be waited for until none runs. @throws WISC_SYNC_FAILED if one has failed */
  *endSlices(): Generator<Promise<void>, void> {
    while (this.#isRunning) yield this.ended()
    this.check()
  }

  /** Resolves when none runs, well or not. */
  async ended(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.#file.dataSyncAsync()
    } catch (error) {
      this.failure = syncFailed(this.#file.path, error)
    } finally {
      this.#isRunning = false
      this.#gate.isTaken = false
    }
  }
}
