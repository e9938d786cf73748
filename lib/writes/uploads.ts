/**
 * The uploads that are under way, and what is held because of them.
 *
 * While an upload may still write the record of its stream, or may have written it, nobody drops the file, although
 * nothing points to it; behind that the memtable holds it whose part of the log has the record (I12). So a replay finds
 * each file that it wants.
 */
import type { SyncGate } from '../../vlog/early-sync.ts'
import { linkSignals } from '../base/abort.ts'
import { copyBytes, NO_BYTES } from '../base/bytes.ts'
import { mayPass, toWiscError, WiscError } from '../base/errors.ts'
import type { FileNumber } from '../base/ids.ts'
import { Signal } from '../base/signal.ts'
import type { ResolvedPutStream } from '../contract/stream-options.ts'
import type { PieceSource } from '../contract/stream-source.ts'
import type { UploadResult } from '../contract/types.ts'
import type { BatchCondition } from './batch.ts'
import { Upload, type UploadOptions, type UploadParts } from './upload.ts'

/** After a failed sync nothing is synced again. */
class UploadGate implements SyncGate {
  readonly #health: UploadsParts['health']
  #isTaken = false

  constructor(health: UploadsParts['health']) {
    this.#health = health
  }

  get isTaken(): boolean {
    return this.#isTaken || this.#health.final !== undefined
  }

  set isTaken(isTaken: boolean) {
    this.#isTaken = isTaken
  }

  readonly check = (): void => {
    if (this.#health.final) throw this.#health.final
  }
}

/** More wait for their turn: each has a descriptor, and some MiB of memory (I10). */
const UPLOADS_MAX = 16

export interface UploadsParts extends UploadParts {
  readonly log: { readonly isEnding: boolean }
  readonly health: { readonly final: WiscError | undefined; end(error: WiscError): void }
  readonly collector: { readonly wake: () => void }
}

export interface AskedUpload extends ResolvedPutStream {
  readonly condition: BatchCondition | undefined
}

export class Uploads {
  readonly #parts: UploadsParts
  readonly #minimumBytes: number
  readonly #maximumBytes: number
  readonly #running: Set<Upload> = new Set()
  /** Files of streams whose record may be in the log, although it was not written: until the log ends before it. */
  readonly #inDoubt: Set<FileNumber> = new Set()
  /** The same, and it may be there for good. */
  readonly #kept: Set<FileNumber> = new Set()
  readonly #gate: SyncGate
  #bytesWritten = 0
  readonly #ended: Signal = new Signal()
  readonly #stop: AbortController = new AbortController()

  /** @param minimumBytes a source that has less becomes a put @param maximumBytes one that has more is refused */
  constructor(parts: UploadsParts, minimumBytes: number, maximumBytes: number) {
    this.#parts = parts
    this.#minimumBytes = minimumBytes
    this.#maximumBytes = maximumBytes
    this.#gate = new UploadGate(parts.health)
  }

  /** Bytes of values that have been written, and are not seen yet: they count as living. */
  get bytes(): number {
    let bytes = 0
    for (const upload of this.#running) bytes += upload.bytes
    return bytes
  }

  /** Of these, what is not on disk yet. */
  get unwrittenBytes(): number {
    let bytes = 0
    for (const upload of this.#running) bytes += upload.unwrittenBytes
    return bytes
  }

  /** Bytes of values that were written to files of streams, whatever became of them. */
  get bytesWritten(): number {
    return this.#bytesWritten + this.bytes
  }

  /** A record that is in no memtable may name this file. */
  holds(number: FileNumber): boolean {
    if (!this.#parts.log.isEnding) this.#inDoubt.clear()
    if (this.#kept.has(number) || this.#inDoubt.has(number)) return true
    for (const upload of this.#running) if (upload.number === number) return true
    return false
  }

  /**
   * Takes all that a source has, and cancels one that has more when it fails. The key is copied.
   * @throws what the source has thrown; WISC_INVALID_ARGUMENT for a size that does not come true; WISC_ABORTED; and
   *   what a put throws
   */
  async put(key: Uint8Array, source: PieceSource, asked: AskedUpload): Promise<UploadResult> {
    const { signal, unlink } = linkSignals(this.#stop.signal, asked.signal)
    const [minimumBytes, maximumBytes] = [this.#minimumBytes, this.#maximumBytes]
    const options = { ...asked, signal, minimumBytes, maximumBytes }
    let upload: Upload | undefined
    try {
      if (signal.aborted) throw signal.reason
      upload = await this.#begin(key.length === 0 ? NO_BYTES : copyBytes(key), options)
      return await upload.run(source)
    } catch (error) {
      source.cancel(error)
      if (upload) this.#failed(upload, error)
      throw signal.aborted ? this.#reason(asked.signal) : error
    } finally {
      unlink()
      if (upload) {
        this.#running.delete(upload)
        this.#bytesWritten += upload.bytes
      }
      this.#ended.tell()
    }
  }

  /** Waits for its turn, and takes it at once. What waits has no buffers yet. */
  async #begin(key: Uint8Array, options: UploadOptions): Promise<Upload> {
    const { signal } = options
    while (this.#running.size >= UPLOADS_MAX) await this.#ended.next({ signal })
    if (signal.aborted) throw signal.reason
    const upload = new Upload(this.#parts, key, options, this.#gate)
    this.#running.add(upload)
    return upload
  }

  /** What becomes of its file. */
  #failed(upload: Upload, cause: unknown): void {
    const { versions, health, collector } = this.#parts
    const { number } = upload
    const error = toWiscError(cause)
    if (error.code === 'WISC_SYNC_FAILED') health.end(error)
    if (number === undefined) return
    if (!upload.isInVersion) versions.discard({ kind: 'segment', number })
    else if (upload.mayBeInLog) (mayPass(error) ? this.#inDoubt : this.#kept).add(number)
    collector.wake()
  }

  /** Why it has ended early. */
  #reason(asked: AbortSignal | undefined): WiscError {
    if (this.#stop.signal.aborted) return this.#stop.signal.reason as WiscError
    return new WiscError('WISC_ABORTED', 'the upload was aborted', { cause: asked?.reason })
  }

  /** Ends all, and takes no more. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#stop.abort(new WiscError('WISC_NOT_OPEN', 'the store is closed'))
    while (this.#running.size > 0) await this.#ended.next()
  }
}
