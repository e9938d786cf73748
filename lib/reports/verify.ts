/**
 * Verify: everything that a store can prove about itself, without writing.
 *
 *   manifest -> tables (blocks, order, counts, references) -> pointers -> records; the log, frame by frame;
 *   relocations, record by record; streams, chunk by chunk; the accounting (I9), recounted from the entries
 *
 * verify-tables.ts, verify-references.ts and verify-log.ts prove their parts of one pass (verify-pass.ts).
 *
 * It goes on after damage and reports all of it. Runs on the calling thread in short slices, over the version that
 * was current when it began, whose files stay. A record that the collector has punched meanwhile is no damage unless an
 * entry still points to it, by whatever name a compaction has given it since.
 *
 * A store that only reads cannot keep its files. What seems to be damaged is read again in a newer view
 * (read-again.ts): files that were proved need no second proof, so each attempt has less to do than the one before.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CorruptionError, invalidArgument } from '../base/errors.ts'
import { throwIfAborted } from '../contract/arguments.ts'
import { checkSignal, plainObject, refuseUnknown } from '../contract/checks.ts'
import { mustBe } from '../contract/given.ts'
import type { VerifyOptions, VerifyProgress, VerifyReport } from '../contract/reports.ts'
import { Attempts } from '../reads/read-again.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { VersionSet } from '../tree/version/version-set.ts'
import { verifyLog } from './verify-log.ts'
import { Findings, findDamage, missingFile, ProvedFiles, type VerifyPass } from './verify-pass.ts'
import { type RecountedReferences, verifyReferences } from './verify-references.ts'
import { verifyStreams } from './verify-streams.ts'
import { verifyTables } from './verify-tables.ts'

interface ResolvedVerify {
  readonly deep: boolean
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: VerifyProgress) => void) | undefined
}

export async function verifyStore(
  engine: ReadingEngine,
  options: VerifyOptions = {},
  checkOpen: () => void = () => {},
): Promise<VerifyReport> {
  refuseUnknown(plainObject(options, 'verify options'), ['deep', 'signal', 'onProgress'], 'verify')
  const { deep = true, signal, onProgress } = options
  if (typeof deep !== 'boolean') throw invalidArgument(mustBe('a boolean', 'deep', deep))
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgument(mustBe('a function', 'onProgress', onProgress))
  }
  checkSignal(signal)
  // I5: what is being read stays, also across the turns of the event loop.
  const pin = engine.pin()
  try {
    return await verifyViews(engine, { deep, signal, onProgress }, checkOpen)
  } finally {
    pin.release()
  }
}

/** Of an engine that writes there is one view, and what is damaged in it is damage. */
async function verifyViews(
  engine: ReadingEngine,
  options: ResolvedVerify,
  checkOpen: () => void,
): Promise<VerifyReport> {
  const attempts = new Attempts()
  const proved = new ProvedFiles()
  for (;;) {
    const { viewNumber } = engine
    const report = await verifyVersion(engine, options, checkOpen, proved)
    if (engine.moveOn === undefined || !attempts.areNew(report.damage)) return report
    try {
      engine.moveOn(viewNumber)
    } catch (error) {
      // Looked at again, it cannot even be opened.
      if (error instanceof CorruptionError) return withDamage(report, error)
      throw error
    }
  }
}

function withDamage(report: VerifyReport, error: CorruptionError): VerifyReport {
  if (report.damage.some(({ message }) => message === error.message)) return report
  const { damage, affectedEntries } = report
  return { ...report, damage: [...damage, error], affectedEntries: [...affectedEntries, 0] }
}

async function verifyVersion(
  engine: ReadingEngine,
  { deep, signal, onProgress }: ResolvedVerify,
  checkOpen: () => void,
  proved: ProvedFiles,
): Promise<VerifyReport> {
  const { version } = engine
  const tables = version.tables.size
  const segments = version.files.size
  const pause = async (tablesDone: number, segmentsDone: number): Promise<void> => {
    onProgress?.({ tablesDone, tables, segmentsDone, segments })
    await nextTurn()
    throwIfAborted(signal)
    checkOpen()
  }
  const findings = new Findings()
  const pass: VerifyPass = { engine, version, deep, findings, proved, pause }
  for (const error of engine.damage ?? []) findings.note(missingFile(error) ?? error)
  const { fileSystem, directory } = engine.context
  findings.note(await findDamage(() => void VersionSet.read(fileSystem, directory)))
  const counted = await verifyTables(pass)
  const { entries, pointers, references } = counted
  const records = await verifyLog(pass, tables)
  const streamed = await verifyStreams(pass, tables, segments - version.streams)
  const valueBytes = counted.valueBytes + streamed
  await pause(tables, segments)
  if (findings.isEmpty && engine.version.levels === version.levels) {
    findings.note(await findDamage(() => verifyAccounting(engine, references)))
  }
  const { isEmpty: ok, damage, affectedEntries } = findings
  return { ok, tables, entries, pointers, segments, records, valueBytes, damage, affectedEntries }
}

function verifyAccounting(engine: ReadingEngine, recounted: RecountedReferences): void {
  const { version, space } = engine
  space.references.update(version)
  verifyReferences(version, space.references, recounted)
}
