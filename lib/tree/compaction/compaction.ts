/**
 * The compaction: merges runs into one, and drops what nobody can read any more (retention.ts); or patches the oldest
 * of them with the others, to the same effect (patch.ts).
 *
 * Inputs are opened by name, one table of each run at a time; they must stay until it has ended (a
 * pinned version).
 */
import type { EntryCursor } from '../entry.ts'
import type { RecordPlaces } from './fold.ts'
import { type CompactionInput, fragmentsOf, InputRun } from './input-run.ts'
import { MergeCursor } from './merge-cursor.ts'
import { PassedTables } from './passed-tables.ts'
import { canPatch, patchSlices } from './patch.ts'
import { type RunResult, type RunSlice, writeRetained } from './retained-run.ts'
import { Retention } from './retention.ts'
import { type JobPorts, RunWriter } from './run-writer.ts'

/**
 * Runs a compaction in slices. If it fails or is ended early it unlinks what it has written.
 * @param places of records whose pointers are folded
 */
export function* compactionSlices(
  input: CompactionInput,
  ports: JobPorts,
  places?: RecordPlaces,
): Generator<RunSlice, RunResult> {
  const passed = new PassedTables(input.inputs, ports)
  const runs = input.inputs.map(
    (run, i) => new InputRun(run, input, ports.fileSystem, (table) => passed.begun(i, table)),
  )
  const tables = input.inputs.flat()
  const smallestSequence = tables.reduce(
    (smallest, table) => Math.min(smallest, table.smallestSequence),
    Number.MAX_SAFE_INTEGER,
  )
  const cursors = runs.map((run) => run.cursor)
  const writer = new RunWriter(ports, input, smallestSequence)
  let failure: unknown
  try {
    const newer = mergedCursor(cursors.slice(0, -1))
    const slices =
      places === undefined && canPatch(input, newer, ports)
        ? patchSlices(input, newer, ports, writer, passed)
        : mergeSlices(input, mergedCursor(cursors), writer, places, ports)
    const result = yield* slices
    ports.progress?.(1)
    return result
  } catch (error) {
    failure = error
    throw error
  } finally {
    for (const run of runs) run.close()
    writer.close(failure)
  }
}

function mergeSlices(
  input: CompactionInput,
  cursor: EntryCursor,
  writer: RunWriter,
  places: RecordPlaces | undefined,
  ports: JobPorts,
): Generator<RunSlice, RunResult> {
  const retention = new Retention(input.readableSequences, input.olderRanges, input.evictedBelow)
  const fragments = fragmentsOf(input.inputs.flat(), input, ports.fileSystem)
  const { expiredBy } = input
  return writeRetained(cursor, retention, writer, undefined, places, fragments, expiredBy)
}

function mergedCursor(cursors: readonly EntryCursor[]): EntryCursor {
  return cursors.length === 1 ? cursors[0]! : new MergeCursor(cursors)
}
