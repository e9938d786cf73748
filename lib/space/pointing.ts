/** The tables that point into files of the value log. */
import type { FileNumber } from '../base/ids.ts'
import type { Reference } from '../base/segment-records.ts'
import { tablesOf } from '../state/tables.ts'
import type { TableMeta } from '../tree/entry.ts'
import { segmentsOf, type Version } from '../tree/version/version.ts'
import type { References } from './references.ts'

/** What tables point to in some files. */
export interface Pointing {
  /** Those of the version that point into the files. */
  readonly tables: TableMeta[]
  /** To what they point, segment by segment. */
  readonly references: Reference[]
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
  const named: Reference[] = []
  for (const segment of segments) {
    const sum = references.of(segment)
    if (sum !== undefined) named.push({ segment, ...sum })
  }
  return {
    tables: tablesOf(version).filter(({ number }) => numbers.has(number)),
    references: named,
  }
}
