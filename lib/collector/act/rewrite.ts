/**
 * Rewrite: what lives in files is copied to one relocation, under the old addresses, and the files go.
 *
 *   the files are claimed, so that no compaction names records in them anew meanwhile (state/relocation-claims.ts) ->
 *   the job writes and syncs the new file -> directory synced, one edit that names it for the segments that it took
 *   over and leaves out the old files (I4) -> these are unlinked when no version holds them (I5, in the version set)
 *
 * The job reads tables of a pinned version, so they stay; no two steps work on one file, so its victims do. What dies
 * while it runs is copied in vain; nothing can come alive (I12: its victims lie below the checkpoint).
 */
import { toWiscError } from '../../base/errors.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { RewriteStep } from '../../contract/collection-plan.ts'
import { emitSafely } from '../../contract/events.ts'
import { segmentsOf } from '../../tree/version/version.ts'
import type { VersionEdit } from '../../tree/version/version-edit.ts'
import type { VersionSet } from '../../tree/version/version-set.ts'
import { type CollectorStore, NOTHING_DONE, type StepControl, type StepResult } from './action.ts'
import type { RunningStep } from './running-steps.ts'
import { diskBytesOf, segmentsLeft, victims } from './victims.ts'

export async function rewrite(
  step: RewriteStep,
  store: CollectorStore,
  control: StepControl,
  running: Pick<RunningStep, 'output'>,
): Promise<StepResult> {
  const numbers = step.files.map(({ number }) => number)
  const giveBack = await store.claims.move(numbers, control.signal)
  try {
    return await rewriteClaimed(step, store, control, running)
  } finally {
    giveBack()
    // More old segments may be known now than there should be.
    store.compactions.wake()
  }
}

async function rewriteClaimed(
  step: RewriteStep,
  store: CollectorStore,
  control: StepControl,
  running: Pick<RunningStep, 'output'>,
): Promise<StepResult> {
  const { versions, space } = store
  const { directory, databaseId, runner } = store.context
  const numbers = step.files.map(({ number }) => number)
  const fileNumber = versions.fileNumbers.take()
  running.output = fileNumber
  const bytesBefore = diskBytesOf(step.files, store)
  const pin = versions.pinTables()
  // In the turn of the pin: what has died in later versions may still live in this one's tables.
  const dead = space.dead.of(numbers.flatMap((number) => segmentsOf(pin.version, number)))
  try {
    const job = {
      kind: 'rewrite' as const,
      directory,
      databaseId,
      ...victims(pin.version, numbers, store),
      dead,
      fileNumber,
    }
    const { relocation, bytesWritten, copyMs, hadWrongList } = await runner.run(job, control)
    if (hadWrongList) {
      const message = `a list of dead records named living ones, and was not used: files=${numbers}`
      emitSafely(store.context.events, 'warning', message)
    }
    const surviving = new Set(relocation?.parts.map(({ segment }) => segment))
    await publish(versions, fileNumber, {
      removedSegments: segmentsLeft(versions.current, step.files, surviving),
      ...(relocation && { addedFiles: [{ role: 'relocation', ...relocation }] }),
    })
    space.dead.forget(dead)
    space.dead.follow(versions.current)
    const bytesCopied = relocation?.parts.reduce((sum, part) => sum + part.bytes, 0) ?? 0
    const output = relocation ? space.usage.ofValueLogFile(fileNumber) : 0
    const bytesFreed = bytesBefore - output
    const priced = { ...NOTHING_DONE.priced, copyMs }
    return { ...NOTHING_DONE, bytesFreed, bytesCopied, bytesWritten, priced }
  } finally {
    pin.release()
  }
}

async function publish(versions: VersionSet, number: FileNumber, edit: VersionEdit): Promise<void> {
  try {
    await versions.apply(edit)
  } catch (error) {
    // As soon as no crash can bring the edit back.
    if (edit.addedFiles) versions.discard({ kind: 'segment', number })
    throw toWiscError(error)
  }
}
