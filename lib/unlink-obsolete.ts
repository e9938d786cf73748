/** Unlinks files that the version set has reported: no version holds them, and no crash brings them back (I5). */
import type { EventEmitter } from 'node:events'
import type { ValueReader } from '../vlog/value-reader.ts'
import { joinPath, manifestName, segmentName, tableName } from './base/file-names.ts'
import type { FileSystem } from './base/file-system.ts'
import { unlinkIfPossible } from './base/unlink.ts'
import { emitSafely } from './events.ts'
import type { TableCache } from './tables.ts'
import type { ObsoleteFile } from './tree/obsolete-files.ts'

export interface UnlinkParts {
  readonly context: { readonly fileSystem: FileSystem; readonly directory: string }
  readonly tables: TableCache
  readonly values: ValueReader
  readonly events: EventEmitter
}

/** A file that cannot be removed now is an orphan of the next open. */
export function unlinkObsolete({ kind, number }: ObsoleteFile, parts: UnlinkParts): void {
  const { context, tables, values, events } = parts
  if (kind === 'table') tables.drop(number)
  if (kind === 'segment') values.drop(number)
  const name = { table: tableName, segment: segmentName, manifest: manifestName }[kind](number)
  if (unlinkIfPossible(context.fileSystem, joinPath(context.directory, name))) return
  emitSafely(events, 'warning', `an obsolete file could not be removed: ${name}`)
}
