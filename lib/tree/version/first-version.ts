/**
 * The first version of a manifest, as edits of the empty one: it may take many pieces, so that each is made, encoded
 * and written in a short step of the event loop. All but the last say that they go on.
 */
import type { Version } from './version.ts'
import type { AddedFile, AddedTable, FileSeal, VersionEdit } from './version-edit.ts'

/** What a piece holds about: it takes less than a millisecond. */
const PIECE_BYTES = 16 * 1024
/** What the manifest needs about for each of them, beside the keys of a table. */
const TABLE_BYTES = 40
const LOG_FILE_BYTES = 32
const RELOCATION_BYTES = 24
const STREAM_BYTES = 24
const PART_BYTES = 8

/** @param pieceBytes a piece ends with the item that reaches it */
export function* firstVersion(
  version: Version,
  pieceBytes: number = PIECE_BYTES,
): Generator<VersionEdit, void> {
  // Each piece has the single fields: numbers must lie below the next one, and the last edit alone has a clean end.
  const { nextFileNumber, lastSequence, checkpoint, durable, cleanEnd, evictedBelow } = version
  const single = {
    nextFileNumber,
    lastSequence,
    checkpoint,
    durable,
    ...(cleanEnd && { cleanEnd }),
    ...(evictedBelow > 0 && { evictedBelow }),
  }
  let addedTables: AddedTable[] = []
  let addedFiles: AddedFile[] = []
  let sealedFiles: FileSeal[] = []
  let bytes = 0
  const take = (): VersionEdit => {
    const piece = { ...single, addedTables, addedFiles, sealedFiles }
    addedTables = []
    addedFiles = []
    sealedFiles = []
    bytes = 0
    return piece
  }
  for (const table of version.tables.values()) {
    if (bytes >= pieceBytes) yield { ...take(), continues: true }
    addedTables.push(table)
    bytes += TABLE_BYTES + table.meta.smallestKey.length + table.meta.largestKey.length
  }
  for (const file of version.files.values()) {
    if (bytes >= pieceBytes) yield { ...take(), continues: true }
    addedFiles.push(file)
    if (file.role === 'relocation') bytes += RELOCATION_BYTES + PART_BYTES * file.parts.length
    else if (file.role === 'stream') bytes += STREAM_BYTES
    else {
      const { number, seal } = file
      if (seal) sealedFiles.push({ number, length: seal.length, lastSequence: seal.lastSequence })
      bytes += LOG_FILE_BYTES
    }
  }
  yield take()
}
