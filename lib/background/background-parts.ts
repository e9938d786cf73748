/** What flush and compaction work with. */
import type { EventEmitter } from 'node:events'
import type { Log } from '../../vlog/log/log.ts'
import type { WiscError } from '../base/errors.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { Memtables } from '../state/memtables.ts'
import type { TableOptions } from '../tree/entry.ts'
import type { TreeShapeOptions } from '../tree/version/tree-shape.ts'
import type { VersionSet } from '../tree/version/version-set.ts'

export interface BackgroundParts {
  readonly directory: string
  readonly databaseId: Uint8Array
  readonly versions: VersionSet
  readonly memtables: Memtables
  readonly log: Log
  readonly runner: JobRunner
  readonly shape: TreeShapeOptions
  readonly tableOptions: TableOptions
  /** What someone may still read, the newest visible sequence included. */
  readonly readable: () => number[]
  readonly events: EventEmitter
  /** Bytes that the disk has for the store, the reserve included. */
  readonly roomBytes: () => number
  /** A job or its edit failed; `isNew` if it is not what failed the time before, too. */
  readonly failed: (error: WiscError, isNew: boolean) => void
}
