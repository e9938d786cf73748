/** The calls that a test may refuse in the fault-injecting file system, and how. */
import type { Profile } from './disk-model.ts'

/** The calls of the interface that may be refused. */
export type CallKind =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'punch'
  | 'sync'
  | 'openDirectory'
  | 'syncDirectory'
  | 'makeDirectory'
  | 'list'
  | 'stat'
  | 'rename'
  | 'unlink'
  | 'lock'

export interface Call {
  /** Counts from 1. */
  readonly index: number
  readonly kind: CallKind
  readonly path: string
  /** Bytes of a write or a hole. */
  readonly bytes: number
}

/** A refusal. A write may get some of its bytes to the file first, a punch some of its whole blocks. */
export interface Fault {
  readonly errno: string
  readonly partialBytes?: number
}

export interface FaultFileSystemOptions {
  readonly profile?: Profile
  /** Chooses how many turns an asynchronous call takes. */
  readonly seed?: number
  /** What fits on the disk: beyond it writes fail with ENOSPC after a part. */
  readonly capacityBytes?: number
  /** A file system that has no holes: it answers `punch` with false. */
  readonly withoutHoles?: boolean
  /** A disk that lies: syncs of these paths succeed and do nothing. For negative controls. */
  readonly ignoreSync?: (path: string) => boolean
}

/** BALLAST holds space alone: nothing durable refers to it, so no rule of order holds for it. */
export function isBallast(path: string): boolean {
  return path.endsWith('/BALLAST')
}

/** A job that is under way may end its table, which no edit will name. */
export function isUnnamed(path: string): boolean {
  return isBallast(path) || path.endsWith('.sst')
}
