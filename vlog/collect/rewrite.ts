/**
 * The rewrite: copies what lives in files of the value log, in key order, into one relocation.
 *
 * Records come in key order and lie anywhere, so a batch of them is read in the order of their
 * places, neighbours in one read, and written in that of their keys. Each is proved whole and held
 * against what is known of it before it is written: what is copied lives on under a checksum that
 * says it is right. One that fails ends the job, and nothing is left of it.
 */

import { toWiscError, type WiscError } from '../../lib/base/errors.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { FileSystem } from '../../lib/base/files/file-system.ts'
import { unlinkIfPossible } from '../../lib/base/files/unlink.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { randomU32 } from '../../lib/base/random.ts'
import type { BuiltRelocation } from '../relocation/relocation-format.ts'
import { RelocationWriter } from '../relocation/relocation-writer.ts'
import type { Liveness } from './liveness.ts'
import { collectPointed } from './pointed-records.ts'
import { copyRecords } from './record-copy.ts'
import { collectUnlisted, isListComplete, type ListedInput } from './unlisted-records.ts'
import type { CollectorPorts } from './victim.ts'
import { VictimFiles } from './victim-files.ts'
import type { VictimRecords } from './victim-records.ts'
import { collectVictims } from './victim-walk.ts'

/**
 * Passing an entry of a table takes 0.1 to 0.2 us. By the heads each record of the victims takes 5 us, dead ones as
 * well: its head is read, put into order, and looked up. So 8 us for a live one, where four of ten are dead.
 */
const ENTRIES_PER_RECORD_MAX = 40
/** To read the head of a record that lives, and to put it into order, takes as long as to pass so many entries. */
const ENTRIES_PER_HEAD = 10

const OPEN_RELOCATIONS_MAX = 16

export interface RewriteInput extends ListedInput {
  /** Number of the relocation. */
  readonly fileNumber: FileNumber
}

export interface RewriteResult {
  /** Synced; the directory is not (I4: the version set syncs it before an edit). undefined: nothing lives. */
  readonly relocation: BuiltRelocation | undefined
  readonly bytesRead: number
  readonly bytesWritten: number
  /** How long reading, proving, writing and syncing took; what the job was held back for does not count. */
  readonly copyMs: number
  /** The list of dead records named some that live: it was not used. */
  readonly hadWrongList: boolean
}

/**
 * Rewrites files. Yields the bytes that each slice read or wrote, or a sync that has to be waited for. If it fails or
 * is ended early, what it has written is unlinked; after a failed sync it stays.
 * @throws CorruptionError if a record that lives, or anything but a value is damaged, or a pointer leads
 *   nowhere (I8); WISC_SYNC_FAILED, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE, IoError
 */
export function* rewriteSlices(
  input: RewriteInput,
  liveness: Liveness,
  ports: CollectorPorts,
): Generator<number | Promise<void>, RewriteResult> {
  const { result: found, bytes: bytesRead } = yield* counted(findLive(input, liveness, ports))
  const { records, hadWrongList } = found
  const nothing = { relocation: undefined, bytesRead, bytesWritten: 0, copyMs: 0, hadWrongList }
  if (!records.hasLive) return nothing
  const files = new VictimFiles(input.files, input, ports.fileSystem)
  try {
    const { result: relocation, ms: copyMs } = yield* counted(
      writeRelocation(records, files, input, ports),
    )
    return {
      relocation,
      bytesRead: bytesRead + files.bytesRead,
      bytesWritten: relocation.length,
      copyMs,
      hadWrongList,
    }
  } finally {
    files.close()
  }
}

/**
 * By the shortest way: that of all entries that may point at the victims, that of the records in them which are not
 * known to be dead, or that of all records in them.
 */
function* findLive(
  input: RewriteInput,
  liveness: Liveness,
  ports: CollectorPorts,
): Generator<number, { readonly records: VictimRecords; readonly hadWrongList: boolean }> {
  let hadWrongList = false
  if (liveness.entries > ENTRIES_PER_HEAD * countLive(input) && isListComplete(input)) {
    const { records, isWrong } = yield* collectUnlisted(input, ports)
    if (records !== undefined) return { records, hadWrongList }
    hadWrongList = isWrong
  }
  return { records: yield* findByTables(input, liveness, ports), hadWrongList }
}

function* findByTables(
  input: RewriteInput,
  { entries, markLive, visitPointers }: Liveness,
  ports: CollectorPorts,
): Generator<number, VictimRecords> {
  const relocations = input.files.filter(({ kind }) => kind === 'relocation').length
  const isShorter = entries <= ENTRIES_PER_RECORD_MAX * countLive(input)
  // All relocations stay open, for their indexes are asked in the order of keys (I10).
  if (isShorter && relocations <= OPEN_RELOCATIONS_MAX) {
    return yield* collectPointed(input, visitPointers, ports)
  }
  const records = yield* collectVictims(input, ports)
  yield* markLive(records)
  return records
}

function countLive({ references }: RewriteInput): number {
  return references.reduce((sum, { records }) => sum + records, 0)
}

function* writeRelocation(
  records: VictimRecords,
  files: VictimFiles,
  { directory, databaseId, fileNumber }: RewriteInput,
  { fileSystem, random, earlySyncBytes, progress }: CollectorPorts,
): Generator<number | Promise<void>, BuiltRelocation> {
  const path = joinPath(directory, segmentName(fileNumber))
  const salt = randomU32(random)
  const file = fileSystem.open(path, 'create')
  const identity = { kind: 'relocation' as const, databaseId, number: fileNumber, salt }
  const writer = new RelocationWriter(file, identity, earlySyncBytes)
  let finished = false
  let failure: unknown
  try {
    yield* copyRecords(records, files, writer, progress)
    const relocation = yield* writer.finishSlices()
    progress?.(1)
    finished = true
    return relocation
  } catch (error) {
    failure = error
    throw error
  } finally {
    writer.close()
    file.close()
    if (!finished) abandon(path, writer, toWiscError(failure), fileSystem)
  }
}

/**
 * Nobody knows of the file. After a failed sync nothing is unlinked any more.
 * @throws WISC_SYNC_FAILED if an early sync has failed, whatever the job was ended by
 */
function abandon(
  path: string,
  { syncFailure }: RelocationWriter,
  { code }: WiscError,
  fileSystem: FileSystem,
): void {
  if (syncFailure) throw syncFailure
  if (code !== 'WISC_SYNC_FAILED') unlinkIfPossible(fileSystem, path)
}

/** Passes slices on, and adds up their bytes and the time that they take themselves. */
function* counted<Slice, Result>(
  slices: Generator<Slice, Result>,
): Generator<Slice, { readonly result: Result; readonly bytes: number; readonly ms: number }> {
  let bytes = 0
  let ms = 0
  try {
    for (;;) {
      const before = performance.now()
      const slice = slices.next()
      ms += performance.now() - before
      if (slice.done) return { result: slice.value, bytes, ms }
      if (typeof slice.value === 'number') bytes += slice.value
      yield slice.value
    }
  } finally {
    // Ended early, they close what they have opened; else they have ended anyhow.
    slices.return(undefined as never)
  }
}
