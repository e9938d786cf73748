/** The progress of a compaction through its inputs, table by table. */
import type { TableMeta } from '../entry.ts'
import type { JobPorts } from './run-writer.ts'

export class PassedTables {
  readonly #runs: readonly (readonly TableMeta[])[]
  readonly #entries: number
  /** Of each run, the entries before the table that it is at. */
  readonly #passed: number[]
  readonly #tell: JobPorts['progress']
  #share = 0

  constructor(runs: readonly (readonly TableMeta[])[], { progress }: JobPorts) {
    this.#runs = runs
    this.#entries = runs.flat().reduce((sum, { entries }) => sum + entries, 0)
    this.#passed = runs.map(() => 0)
    this.#tell = progress
  }

  /** A run has come to one of its tables. */
  readonly begun = (run: number, table: TableMeta): void => {
    if (this.#tell === undefined) return
    let passed = 0
    for (const before of this.#runs[run]!) {
      if (before === table) break
      passed += before.entries
    }
    this.#passed[run] = passed
    const share = this.#passed.reduce((sum, each) => sum + each, 0) / this.#entries
    // The newer ones are passed twice when they patch the oldest.
    this.#share = Math.max(this.#share, share)
    this.#tell(this.#share)
  }
}
