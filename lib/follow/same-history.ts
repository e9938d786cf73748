/**
 * Whether what a look has found goes on from what was known. A writer that was opened anew may have found the end of
 * the log lost, or an older copy in the place of the store: then sequences, edits and the numbers of files may be those
 * of other writes.
 */
import type { LogTail } from '../recovery/log-tail.ts'
import type { TableMeta } from '../tree/entry.ts'
import type { ReadManifest } from '../tree/version/manifest-reader.ts'
import type { Version } from '../tree/version/version.ts'

/** @param tail of the log, as far as it was taken for the known manifest */
export function isSameHistory(newer: ReadManifest, known: ReadManifest, tail: LogTail): boolean {
  const isSameWriter = newer.number === known.number && newer.salt === known.salt
  const isOn = isSameWriter || hasSameFiles(newer.version, known.version)
  return isOn && newer.version.id >= known.version.id && tail.isOn(newer.version, isSameWriter)
}

/** True if no number means one file in one version, and another one in the other. */
function hasSameFiles(newer: Version, known: Version): boolean {
  for (const [number, { meta }] of known.tables) {
    const other = newer.tables.get(number)
    if (newer.files.has(number) || (other && !isSameTable(other.meta, meta))) return false
  }
  for (const [number, { role, salt }] of known.files) {
    const other = newer.files.get(number)
    const isSame = other === undefined || (other.role === role && other.salt === salt)
    if (newer.tables.has(number) || !isSame) return false
  }
  return true
}

/** A table has no salt in the manifest. */
function isSameTable(left: TableMeta, right: TableMeta): boolean {
  return (
    left.bytes === right.bytes &&
    left.entries === right.entries &&
    left.pointedBytes === right.pointedBytes &&
    left.smallestSequence === right.smallestSequence &&
    left.largestSequence === right.largestSequence
  )
}
