/**
 * One pass over one version: what every part of a verification is given, and what it finds. Damage is noted, and the
 * pass goes on behind it.
 */
import { basename } from 'node:path'
import { CorruptionError, IoError, isMissing, type WiscError } from '../base/errors.ts'
import type { FileNumber } from '../base/ids.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { Version } from '../tree/version/version.ts'
import { RecountedReferences } from './verify-references.ts'

export interface VerifyPass {
  readonly engine: ReadingEngine
  readonly version: Version
  /** Also read every value that an entry points to. */
  readonly deep: boolean
  readonly findings: Findings
  readonly proved: ProvedFiles
  /**
   * Lets the event loop turn, and tells how many tables and files of the value log are done.
   * @throws WISC_ABORTED, WISC_NOT_OPEN
   */
  readonly pause: (tablesDone: number, segmentsDone: number) => Promise<void>
}

/** What was found in the entries of tables. */
export class CountedEntries {
  entries = 0
  pointers = 0
  /** Of values that were read and proved. */
  valueBytes = 0
  /** What they point to. */
  readonly references: RecountedReferences = new RecountedReferences()

  add({ entries, pointers, valueBytes, references }: CountedEntries): void {
    this.entries += entries
    this.pointers += pointers
    this.valueBytes += valueBytes
    this.references.addAll(references)
  }
}

/** Files in which nothing is damaged, by number, for looks at later versions that still have them. */
export class ProvedFiles {
  readonly tables: Map<FileNumber, CountedEntries> = new Map()
  /** Up to where, and how many records there are. */
  readonly segments: Map<FileNumber, { readonly end: number; readonly records: number }> = new Map()
  /** How many records there are. */
  readonly relocations: Map<FileNumber, number> = new Map()
  /** Bytes of the value that were proved. */
  readonly streams: Map<FileNumber, number> = new Map()
}

/** Damage in the order in which it was found: each place and reason once, which the message says. */
export class Findings {
  readonly #found: Map<string, { readonly error: WiscError; entries: number }> = new Map()

  get isEmpty(): boolean {
    return this.#found.size === 0
  }

  get damage(): WiscError[] {
    return [...this.#found.values()].map(({ error }) => error)
  }

  /** For each of these, how many entries of tables cannot be followed because of it. */
  get affectedEntries(): number[] {
    return [...this.#found.values()].map(({ entries }) => entries)
  }

  note(error: WiscError | undefined, entries: number = 0): void {
    if (!error) return
    const known = this.#found.get(error.message)
    if (known) known.entries += entries
    else this.#found.set(error.message, { error, entries })
  }
}

/** Runs a check. @returns the damage that it found; other errors are thrown */
export async function findDamage(
  check: () => Promise<void> | void,
): Promise<WiscError | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    const missing = missingFile(error)
    if (missing) return missing
    if (!(error instanceof CorruptionError)) throw error
    return error
  }
}

/** A file that is not there, as damage of it. @returns undefined for anything else */
export function missingFile(error: unknown): CorruptionError | undefined {
  const cause = error instanceof CorruptionError ? error.cause : error
  if (!(cause instanceof IoError) || !isMissing(cause)) return undefined
  return new CorruptionError(basename(cause.path), 0, 'file is missing', { cause })
}
