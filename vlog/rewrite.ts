/**
 * The rewrite: copies what lives in files of the value log, in key order, into one relocation.
 *
 * Records come in key order and lie anywhere, so a batch of them is read in the order of their
 * places, neighbours in one read, and written in that of their keys. Each is proved whole and held
 * against what the walk found before it is written: what is copied lives on under a checksum that
 * says it is right. One that fails ends the job, and nothing is left of it.
 */

import { toWiscError } from '../lib/base/errors.ts'
import { joinPath, segmentName } from '../lib/base/file-names.ts'
import { randomU32 } from '../lib/base/random.ts'
import { unlinkIfPossible } from '../lib/base/unlink.ts'
import type { MarkLive } from './liveness.ts'
import { copyRecords } from './record-copy.ts'
import type { BuiltRelocation } from './relocation-format.ts'
import { RelocationWriter } from './relocation-writer.ts'
import type { CollectorPorts } from './victim.ts'
import { VictimFiles } from './victim-files.ts'
import type { VictimRecords } from './victim-records.ts'
import { collectVictims, type VictimInput } from './victim-walk.ts'

export interface RewriteInput extends VictimInput {
  /** Number of the relocation. */
  readonly fileNumber: number
}

export interface RewriteResult {
  /** Synced; the directory is not (I4: the version set syncs it before an edit). undefined: nothing lives. */
  readonly relocation: BuiltRelocation | undefined
  readonly bytesRead: number
  readonly bytesWritten: number
}

/**
 * Rewrites files. Yields the bytes that each step read or wrote. If it fails or is ended early, what it
 * has written is unlinked; after a failed sync it stays.
 * @throws CorruptionError if a record that lives, or anything but a value is damaged, or a pointer leads
 *   nowhere (I8); WISC_SYNC_FAILED, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE, IoError
 */
export function* rewriteSteps(
  input: RewriteInput,
  markLive: MarkLive,
  ports: CollectorPorts,
): Generator<number, RewriteResult> {
  const collected = yield* counted(collectVictims(input, ports))
  const records = collected.result
  const marked = yield* counted(markLive(records))
  const bytesRead = collected.bytes + marked.bytes
  if (!records.hasLive) return { relocation: undefined, bytesRead, bytesWritten: 0 }
  const files = new VictimFiles(input.files, input, ports.fileSystem)
  try {
    const relocation = yield* writeRelocation(records, files, input, ports)
    return {
      relocation,
      bytesRead: bytesRead + files.bytesRead,
      bytesWritten: relocation.length,
    }
  } finally {
    files.close()
  }
}

function* writeRelocation(
  records: VictimRecords,
  files: VictimFiles,
  { directory, databaseId, fileNumber }: RewriteInput,
  { fileSystem, random }: CollectorPorts,
): Generator<number, BuiltRelocation> {
  const path = joinPath(directory, segmentName(fileNumber))
  const salt = randomU32(random)
  const file = fileSystem.open(path, 'create')
  let finished = false
  let failure: unknown
  try {
    const identity = { kind: 'relocation' as const, databaseId, number: fileNumber, salt }
    const writer = new RelocationWriter(file, identity)
    yield* copyRecords(records, files, writer)
    const relocation = yield* writer.finishSteps()
    finished = true
    return relocation
  } catch (error) {
    failure = error
    throw error
  } finally {
    file.close()
    // Nobody knows of it. After a failed sync nothing is unlinked any more.
    if (!finished && toWiscError(failure).code !== 'WISC_SYNC_FAILED') {
      unlinkIfPossible(fileSystem, path)
    }
  }
}

/** Passes steps on, and adds up their bytes. */
function* counted<Result>(
  steps: Generator<number, Result>,
): Generator<number, { readonly result: Result; readonly bytes: number }> {
  let bytes = 0
  try {
    for (;;) {
      const step = steps.next()
      if (step.done) return { result: step.value, bytes }
      bytes += step.value
      yield step.value
    }
  } finally {
    // Ended early, they close what they have opened; else they have ended anyhow.
    steps.return(undefined as never)
  }
}
