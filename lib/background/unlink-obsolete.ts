/**
 * Unlinks files that the version set has reported: no version holds them, and no crash brings them back (I5).
 *
 * In the thread pool: the blocks of a large file take their time. What is under way is waited for before the store is
 * closed, so that nothing happens in the directory afterwards.
 */
import type { EventEmitter } from 'node:events'
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import { isMissing } from '../base/errors.ts'
import { joinPath, manifestName, segmentName, tableName } from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { FileNumber } from '../base/ids.ts'
import { Signal } from '../base/signal.ts'
import { emitSafely } from '../contract/events.ts'
import type { TableCache } from '../state/tables.ts'
import type { ObsoleteFile } from '../tree/version/obsolete-files.ts'

export interface UnlinkParts {
  readonly context: {
    readonly fileSystem: FileSystem
    readonly directory: string
    readonly events: EventEmitter
  }
  readonly tables: TableCache
  readonly values: ValueReader
  readonly space: { readonly usage: { gone(number: FileNumber, kind: ObsoleteFile['kind']): void } }
}

export class ObsoleteUnlinker {
  readonly #parts: UnlinkParts
  readonly #pending: Set<Promise<void>> = new Set()
  /** Told when a file has gone: there is more space. */
  readonly unlinked: Signal = new Signal()

  constructor(parts: UnlinkParts) {
    this.#parts = parts
  }

  /** A file that cannot be removed now is an orphan of the next open. */
  unlink(file: ObsoleteFile): void {
    const { kind, number } = file
    const { context, tables, values } = this.#parts
    const { fileSystem, directory, events } = context
    const name = { table: tableName, segment: segmentName, manifest: manifestName }[kind](number)
    try {
      if (kind === 'table') tables.drop(number)
      if (kind === 'segment') values.drop(number)
    } catch {
      // Nothing was lost: of a file that nobody needs only the descriptor was closed.
      emitSafely(events, 'warning', `an obsolete file could not be closed: ${name}`)
    }
    const unlinking = fileSystem
      .unlinkAsync(joinPath(directory, name))
      .then(() => true)
      // The manifest before the present one may have gone as an orphan of the open.
      .catch(isMissing)
      .then((isGone) => {
        if (isGone) this.#gone(file)
        else emitSafely(events, 'warning', `an obsolete file could not be removed: ${name}`)
      })
    this.#pending.add(unlinking)
    void unlinking.finally(() => this.#pending.delete(unlinking))
  }

  #gone({ kind, number }: ObsoleteFile): void {
    this.#parts.space.usage.gone(number, kind)
    this.unlinked.tell()
  }

  /** Something is under way. */
  get isBusy(): boolean {
    return this.#pending.size > 0
  }

  /** Resolves when nothing is under way. */
  async ended(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }
}
