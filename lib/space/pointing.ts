/** Who points into files of the value log. */
import type { FileNumber } from '../base/ids.ts'
import { tablesOf } from '../state/tables.ts'
import type { TableMeta } from '../tree/entry.ts'
import { segmentsOf, type Version } from '../tree/version/version.ts'
import type { References } from './references.ts'

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
  files: readonly FileNumber[],
): Pointing {
  references.update(version)
  const segments = new Set(files.flatMap((number) => segmentsOf(version, number)))
  const numbers = references.tablesPointingTo(segments)
  let records = 0
  for (const segment of segments) records += references.of(segment)?.records ?? 0
  return { tables: tablesOf(version).filter(({ number }) => numbers.has(number)), records }
}
