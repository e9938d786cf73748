/** Liveness by tables: the implementation of the port that vlog/collect/liveness.ts declares. */
import type { FileSystem } from '../../base/files/file-system.ts'
import { type MarkableRecords, markPointers } from './mark-pointers.ts'
import {
  type PointedSegments,
  type PointingTables,
  type VisitPointer,
  visitPointers,
} from './table-pointers.ts'

export interface TableLiveness {
  /** Of all tables. */
  readonly entries: number
  readonly markLive: (records: MarkableRecords) => Generator<number, void>
  readonly visitPointers: (
    segments: PointedSegments,
    visit: VisitPointer,
  ) => Generator<number, void>
}

export function livenessBy(input: PointingTables, fileSystem: FileSystem): TableLiveness {
  return {
    entries: input.tables.reduce((sum, { entries }) => sum + entries, 0),
    markLive: markPointers(input, fileSystem),
    visitPointers: (segments, visit) => visitPointers(input, fileSystem, segments, visit),
  }
}
