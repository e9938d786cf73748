/**
 * A runner around another one that finds out in both ways, before a job of the collector begins, what it is told by a
 * hint, and what is so.
 *
 * Of each rewrite what lives in its victims: by the lists of dead records, whether it would look at them or not, and by
 * the tables. No list may name what lives, and where lists say what lives, tables say the same. Of each punch the heads
 * of its file: as they were kept, and by a walk. Else the process ends with an uncaught exception: a store would take
 * what is thrown here for a failed step, and try again.
 */
import { WiscError } from '#dist/lib/base/errors.js'
import { joinPath, segmentName, tableName } from '#dist/lib/base/files/file-names.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import type { Job, PunchJob, ResultOf, RewriteJob } from '#dist/lib/jobs/messages.js'
import type { JobRunner, RunOptions } from '#dist/lib/jobs/runner.js'
import { livenessBy } from '#dist/lib/tree/compaction/table-liveness.js'
import { unpackHeads } from '#dist/vlog/collect/kept-heads.js'
import { ListedDead } from '#dist/vlog/collect/listed-dead.js'
import { collectUnlisted } from '#dist/vlog/collect/unlisted-records.js'
import type { VictimFile } from '#dist/vlog/collect/victim.js'
import { emptyVictimRecord } from '#dist/vlog/collect/victim-page.js'
import type { VictimRecords } from '#dist/vlog/collect/victim-records.js'
import { collectVictims } from '#dist/vlog/collect/victim-walk.js'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { MemoryFileSystem } from '../files/memory-file-system.ts'
import { runSlices } from '../run-slices.ts'

export class CheckedRunner implements JobRunner {
  readonly #runner: JobRunner
  readonly #fileSystem: FileSystem

  constructor(runner: JobRunner, fileSystem: FileSystem) {
    this.#runner = runner
    this.#fileSystem = fileSystem
  }

  run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>> {
    if (job.kind === 'rewrite') {
      this.#check(job, job.files, (fileSystem) => findDifference(job, fileSystem))
    } else if (job.kind === 'punch') {
      this.#check(job, [job.file], (fileSystem) => findOtherHeads(job, fileSystem))
    }
    return this.#runner.run(job, options)
  }

  #check(
    { directory, tables }: RewriteJob | PunchJob,
    files: readonly VictimFile[],
    find: (fileSystem: FileSystem) => string | undefined,
  ): void {
    let difference: string | undefined
    try {
      difference = find(untouched(this.#fileSystem, directory, files, tables))
    } catch (error) {
      // Damage: the job will find it, too, or has no need to.
      if (!(error instanceof WiscError)) throw error
    }
    if (difference === undefined) return
    process.nextTick(() => {
      throw new Error(`a hint and what is so differ: ${difference}`)
    })
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#runner.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#runner.forgetArena(id)
  }

  close(): Promise<void> {
    return this.#runner.close()
  }
}

/** The files of the job where reading them is no call that could fail, or be counted. */
function untouched(
  fileSystem: FileSystem,
  directory: string,
  files: readonly VictimFile[],
  tables: RewriteJob['tables'],
): FileSystem {
  if (!(fileSystem instanceof FaultFileSystem)) return fileSystem
  const image = fileSystem.visibleImage()
  const copy = new MemoryFileSystem()
  const names = [
    ...files.map(({ number }) => segmentName(number)),
    ...tables.map(({ number }) => tableName(number)),
  ]
  for (const name of names) {
    const path = joinPath(directory, name)
    const bytes = image.files.get(path)
    if (bytes !== undefined) copy.replace(path, bytes)
  }
  return copy
}

/** @returns how both ways differ; undefined if they do not */
function findDifference(job: RewriteJob, fileSystem: FileSystem): string | undefined {
  const byTables = runSlices(collectVictims(job, { fileSystem }))
  runSlices(livenessBy(job, fileSystem).markLive(byTables))
  const dead = new ListedDead(job.dead)
  const living = liveNames(byTables)
  for (const { segment, offset, number, place } of living) {
    if (dead.lengthOf(segment, offset) !== undefined || dead.lengthOf(number, place) !== undefined)
      return `a list names segment=${segment} offset=${offset}, which lives`
  }
  const { records, isWrong } = runSlices(collectUnlisted(job, { fileSystem }))
  if (isWrong) return 'a list is told to be wrong, and is not'
  if (records === undefined) return undefined
  const [left, right] = [living, liveNames(records)].map((names) =>
    names.map(({ segment, offset, length }) => `${segment}:${offset}+${length}`).join(' '),
  )
  return left === right ? undefined : `tables: ${left}, lists: ${right}`
}

/** @returns how kept heads differ from those of a walk; undefined if they do not, or none were kept */
function findOtherHeads(job: PunchJob, fileSystem: FileSystem): string | undefined {
  if (job.heads === undefined) return undefined
  const walked = headsOf(runSlices(collectVictims({ ...job, files: [job.file] }, { fileSystem })))
  const kept = headsOf(runSlices(unpackHeads(job.heads, job.file)))
  return kept === walked ? undefined : `walked: ${walked}, kept: ${kept}`
}

function headsOf(records: VictimRecords): string {
  const record = emptyVictimRecord()
  const heads: string[] = [`segments=${records.segments}`]
  for (let page = 0; page < records.pageCount; page++) {
    records.visitPage(page, record, () => {
      const { keyBytes, keyStart, keyEnd, ...others } = record
      const key = Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString('hex')
      heads.push(`${key} ${Object.values(others)}`)
    })
  }
  return heads.join('; ')
}

interface LiveName {
  readonly segment: number
  readonly offset: number
  readonly length: number
  /** The file that holds it, and where in it. */
  readonly number: number
  readonly place: number
}

/** In the order of keys. */
function liveNames(records: VictimRecords): LiveName[] {
  const record = emptyVictimRecord()
  const names: LiveName[] = []
  for (let position = 0; position < records.count; position++) {
    records.loadAt(position, record)
    const { segment, offset, length, file, place, isLive } = record
    const { number } = records.files[file]!
    if (isLive) names.push({ segment, offset, length, number, place })
  }
  return names
}
