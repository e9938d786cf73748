/** Questions about the files of the value log that a version answers: what they hold, and who points into them. */
import type { References } from './collector/references.ts'
import { tablesOf } from './tables.ts'
import type { TableMeta } from './tree/entry.ts'
import type { Version } from './tree/version.ts'

/** The segments that a file holds: itself, or those of which a relocation has the survivors. */
export function logicalSegments(version: Version, file: number): number[] {
  const relocation = version.relocations.get(file)
  return relocation ? relocation.parts.map(({ segment }) => segment) : [file]
}

/** Up to here the records of a segment of some length are in tables. */
export function flushedEnd({ checkpoint }: Version, segment: number, length: number): number {
  if (segment === checkpoint.segment) return Math.min(checkpoint.offset, length)
  return segment < checkpoint.segment ? length : 0
}

/** What tables point to in some files. */
export interface Pointing {
  /** Those of the version that point into the files. */
  readonly tables: TableMeta[]
  /** To which they point. */
  readonly records: number
}

/** @throws CorruptionError, IoError if a table cannot be opened */
export function pointingInto(
  version: Version,
  references: References,
  files: readonly number[],
): Pointing {
  references.update(version)
  const segments = new Set(files.flatMap((number) => logicalSegments(version, number)))
  const numbers = references.tablesPointingTo(segments)
  let records = 0
  for (const segment of segments) records += references.of(segment)?.records ?? 0
  return { tables: tablesOf(version).filter(({ number }) => numbers.has(number)), records }
}
