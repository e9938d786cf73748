/**
 * The first version of a manifest, as edits of the empty one: it may take many pieces, so that each is made, encoded
 * and written in a short step of the event loop. All but the last say that they go on.
 */
import type { Version } from './version.ts'
import type { AddedFile, AddedTable, FileSeal, VersionEdit } from './version-edit.ts'

/** Tables, files and parts of relocations: a piece takes about a millisecond. */
const PIECE_ITEMS = 2000

/** @param items tables, files and parts that a piece holds about */
export function* firstVersion(
  version: Version,
  items: number = PIECE_ITEMS,
): Generator<VersionEdit, void> {
  // Each piece has the single fields: numbers must lie below the next one, and the last edit alone has a clean end.
  const { nextFileNumber, lastSequence, checkpoint, durable, cleanEnd } = version
  const single = {
    nextFileNumber,
    lastSequence,
    checkpoint,
    durable,
    ...(cleanEnd && { cleanEnd }),
  }
  let addedTables: AddedTable[] = []
  let addedFiles: AddedFile[] = []
  let sealedFiles: FileSeal[] = []
  let size = 0
  const take = (): VersionEdit => {
    const piece = { ...single, addedTables, addedFiles, sealedFiles }
    addedTables = []
    addedFiles = []
    sealedFiles = []
    size = 0
    return piece
  }
  for (const table of version.tables.values()) {
    if (size >= items) yield { ...take(), continues: true }
    addedTables.push(table)
    size++
  }
  for (const file of version.files.values()) {
    if (size >= items) yield { ...take(), continues: true }
    addedFiles.push(file)
    if (file.role === 'relocation') size += 1 + file.parts.length
    else {
      if (file.seal) sealedFiles.push({ number: file.number, ...file.seal })
      size++
    }
  }
  yield take()
}
