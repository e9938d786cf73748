/**
 * The flush: writes one frozen memtable as one run. It leaves out what no reader can see, and drops
 * no tombstone.
 *
 * The caller publishes the run only when the log is durable up to the memtable's end (I3).
 */
import { type FrozenMemtable, frozenCursor } from '../memtable/memtable.ts'
import { unpackRanges } from '../ranges/range-format.ts'
import { type ReadDeferred, type RunResult, type RunSlice, writeRetained } from './retained-run.ts'
import { Retention } from './retention.ts'
import { type JobPorts, type RunTarget, RunWriter } from './run-writer.ts'

export interface FlushInput extends RunTarget {
  readonly memtable: FrozenMemtable
  /** Sequences at which someone may still read, ascending. */
  readonly readableSequences: readonly number[]
  /** What expires at this moment or before has done so for every reader. */
  readonly expiredBy: number
}

export interface FlushPorts extends JobPorts {
  /** The memory of an arena. */
  readonly arenaBuffer: (arenaId: number) => SharedArrayBuffer
  readonly readDeferred: ReadDeferred
}

/** Runs a flush in slices. If it fails or is ended early it unlinks what it has written. */
export function* flushSlices(input: FlushInput, ports: FlushPorts): Generator<RunSlice, RunResult> {
  const { memtable, readableSequences } = input
  const cursor = frozenCursor(ports.arenaBuffer(memtable.arenaId), memtable)
  const retention = new Retention(readableSequences, undefined)
  const writer = new RunWriter(ports, input, memtable.smallestSequence)
  let failure: unknown
  try {
    const { readDeferred } = ports
    const ranges = unpackRanges(memtable.ranges)
    return yield* writeRetained(
      cursor,
      retention,
      writer,
      readDeferred,
      undefined,
      ranges,
      input.expiredBy,
    )
  } catch (error) {
    failure = error
    throw error
  } finally {
    writer.close(failure)
  }
}
