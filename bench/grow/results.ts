/** The shapes of `grow`: what a child is to do and what it reports, and one step of the way. */

/** One phase of a step, in a process of its own. */
export interface GrowJob {
  /** `few-tables`: reads with so few open files that most lookups open their table. */
  readonly phase: 'fill' | 'read' | 'few-tables' | 'overwrite'
  readonly directory: string
  readonly valueBytes: number
  /** Keys that are there before, and when the phase has ended: only `fill` adds any. */
  readonly keysBefore: number
  readonly keys: number
  /** Of the keys, so many are overwritten; the later half of it is measured. */
  readonly overwriteShare: number
  /** How long each kind of read goes on. */
  readonly seconds: number
  readonly seed: number
}

/** What one operation of many costs, microseconds: by the clock, and of all threads of the process. */
export interface OperationCost {
  readonly operations: number
  readonly wallUs: number
  readonly cpuUs: number
}

/** What lies in the directory. */
export interface StoreFiles {
  readonly diskBytes: number
  readonly valueLogFiles: number
  readonly tables: number
  readonly tableBytes: number
  readonly manifestBytes: number
}

/** Of one level of the tree. */
export interface GrownLevel {
  readonly runs: number
  readonly tables: number
  readonly bytes: number
  readonly entries: number
}

export interface PhaseReport {
  readonly openMs: number
  readonly openCpuMs: number
  readonly memoryPeakBytes: number | null
  /** By what was done: put, overwrite, and the reads. */
  readonly costs: Readonly<Record<string, OperationCost>>
  /** Bytes of log, tables and relocations for each byte that was put in the measured part. */
  readonly written: number | null
  readonly tableBytesWritten: number
  readonly compactions: number
  readonly levels: readonly GrownLevel[]
  readonly segments: number
  readonly relocations: number
  readonly openFiles: number
  readonly files: StoreFiles
}

/** The store at one size. */
export interface GrowStep {
  readonly keys: number
  readonly keysBefore: number
  readonly valueBytes: number
  readonly fill: PhaseReport
  readonly read: PhaseReport
  readonly fewTables: PhaseReport
  readonly overwrite: PhaseReport
}

/** A store of many small files of one kind: what each of them costs, whatever it holds. */
export interface FilesJob {
  readonly step: 'fill' | 'open'
  readonly kind: 'log' | 'tables'
  readonly count: number
  readonly directory: string
}

export interface FilesReport {
  readonly kind: FilesJob['kind']
  readonly valueLogFiles: number
  readonly tables: number
  readonly openMs: number
  readonly openCpuMs: number
  /** The first `stats()`: figures of all files are made. */
  readonly firstStatsCpuMs: number
  readonly laterStatsCpuMs: number
  /** What the open store holds in memory that the process did not hold before. */
  readonly memoryBytes: number
  readonly manifestBytes: number
}

/** All that `grow` measures. */
export interface GrowResults {
  readonly steps: readonly GrowStep[]
  readonly files: readonly FilesReport[]
}
