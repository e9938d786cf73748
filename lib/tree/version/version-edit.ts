/**
 * Version edits: one atomic change of a version. Their bytes are in version-edit-format.ts.
 */
import type { FileNumber, LogOrdinal, SegmentNumber, Sequence } from '../../base/ids.ts'
import type { LogPosition } from '../../base/log-position.ts'
import type { SegmentRecords } from '../../base/segment-records.ts'
import type { TableMeta } from '../entry.ts'

/** Levels are numbered 0 .. LEVELS_MAX - 1. */
export const LEVELS_MAX = 32

/**
 * Every field may be missing. Removals come before additions: a table in both lists changes its
 * place.
 */
export interface VersionEdit {
  /** All file numbers below are used up. */
  readonly nextFileNumber?: FileNumber
  /** The highest sequence that any table or sealed file of the log may hold. */
  readonly lastSequence?: Sequence
  /** Records before it lie in tables. */
  readonly checkpoint?: LogPosition
  /** The log was durable up to here when the edit was made. */
  readonly durable?: LogPosition
  /** The store was closed cleanly, and the log ends exactly here. Holds for the last edit only. */
  readonly cleanEnd?: LogPosition
  /** Entries with a lower sequence, of every kind, read as missing from now on, whoever reads. It never goes back. */
  readonly evictedBelow?: Sequence
  /** A piece of a first version: the next frame of the manifest goes on with it. */
  readonly continues?: true
  readonly removedTables?: readonly FileNumber[]
  readonly addedTables?: readonly AddedTable[]
  /**
   * Logical segments that nothing refers to any more. A file goes with the last segment that it holds: that of its
   * own number, which goes last.
   */
  readonly removedSegments?: readonly SegmentNumber[]
  /** Each holds the segment of its own number, and a relocation those of its parts from now on, as no other does. */
  readonly addedFiles?: readonly AddedFile[]
  readonly sealedFiles?: readonly FileSeal[]
}

export interface AddedTable {
  readonly level: number
  /** The run that takes it; it is made if the level has none of that id. */
  readonly runId: FileNumber
  readonly meta: TableMeta
}

/** A file of the log is added while it is empty: it is open. */
export type AddedFile = Omit<LogFile, 'seal'> | RelocationFile | StreamFile

export interface FileSeal extends LogSeal {
  readonly number: FileNumber
}

/** A file of the value log. */
export type ValueLogFile = LogFile | RelocationFile | StreamFile

/** What one write after the other is appended to. */
export interface LogFile {
  readonly role: 'log'
  readonly number: FileNumber
  /** From the file's header: a file with another one is not the one that is meant. */
  readonly salt: number
  /** Its place in the log. */
  readonly ordinal: LogOrdinal
  /** Undefined while it is open. */
  readonly seal: LogSeal | undefined
}

export interface LogSeal {
  /** Bytes of the file: what lies behind them does not belong to the log. */
  readonly length: number
  /** Of its last record. */
  readonly lastSequence: Sequence
}

/** A file with the surviving records of segments, under their old addresses and those that they have in it. */
export interface RelocationFile {
  readonly role: 'relocation'
  readonly number: FileNumber
  readonly salt: number
  /** Bytes of the file. */
  readonly length: number
  /** Segments of other files that are still in the version, in ascending order of their numbers. */
  readonly parts: readonly SegmentRecords[]
}

/** A file with one value, which is never moved. It is no part of the log: a record there makes it visible. */
export interface StreamFile {
  readonly role: 'stream'
  readonly number: FileNumber
  readonly salt: number
  /** Bytes of the file. */
  readonly length: number
}
