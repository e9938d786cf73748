/**
 * The demo: keeps every file of a directory tree in a store and proves that it can be read back.
 *
 * It stores each file under its path, closes, reopens and compares every byte with the file; overwrites
 * every fifth, deletes every seventh, closes, reopens and compares again. It ends with a table on
 * standard output. The files themselves are only read.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { open, type Store } from '../../lib/index.ts'
import { EXIT_CODE, InterruptedError, systemErrorCode, UsageError } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import type { Progress } from '../terminal/progress.ts'
import { formatFields, formatTable } from '../terminal/table.ts'
import { FILE_BYTES_MAX, listTree, quote, type TreeFile } from './directory-tree.ts'
import { InFlight } from './in-flight.ts'
import type { VerbContext } from './verb.ts'

const OVERWRITE_EVERY = 5
const DELETE_EVERY = 7
/** Larger files are read through the thread pool. */
const READ_SYNC_BYTES_MAX = 1024 * 1024
/** The retries are for files that a worker is still writing. */
const REMOVE = { recursive: true, force: true, maxRetries: 5 } as const
const NOTES_MAX = 10
/** Goes before the bytes of an overwritten file, so that no old value equals the new one. */
const OVERWRITTEN = Buffer.from('overwritten by wisc demo\n')

export interface DemoOptions {
  readonly directory: string
  /** Where the store stays; without it the store lives in a temporary directory. */
  readonly keep: string | undefined
  /** Report as JSON. */
  readonly json: boolean
}

/** A file as it was when it was stored. */
interface StoredFile extends TreeFile {
  readonly index: number
  readonly stamp: string
}

interface Phase {
  readonly name: string
  readonly files: number
  readonly bytes: number
  readonly seconds: number
}

/** Runs the demo. @returns the exit code */
export async function runDemo(options: DemoOptions, context: VerbContext): Promise<number> {
  const { files, skipped } = listDirectory(options.directory)
  const storePath = options.keep ?? path.join(makeTemporaryDirectory(), 'store')
  const demo = new Demo(storePath, context, skipped)
  try {
    await demo.run(files)
  } finally {
    await demo.end()
    if (options.keep === undefined) fs.rmSync(path.dirname(storePath), REMOVE)
  }
  await demo.report(options.json, context.output)
  return demo.mismatches.length > 0 ? EXIT_CODE.corruption : EXIT_CODE.fine
}

function makeTemporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'wisc-demo-'))
  // For a second Ctrl-C and for crashes; otherwise the directory is gone by then.
  process.once('exit', () => fs.rmSync(directory, REMOVE))
  return directory
}

function listDirectory(directory: string): ReturnType<typeof listTree> {
  try {
    return listTree(directory)
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error
    throw new UsageError(`cannot read directory: ${(error as Error).message}`, { cause: error })
  }
}

class Demo {
  readonly #storePath: string
  readonly #signal: AbortSignal
  readonly #skipped: string[]
  readonly #progress: Progress
  readonly #phases: Phase[] = []
  #store: Store | undefined
  #stored: StoredFile[] = []
  #userBytes = 0
  #writtenBytes = 0
  #liveBytes = 0
  #diskBytes = 0
  readonly mismatches: string[] = []

  constructor(storePath: string, { signal, progress }: VerbContext, skipped: readonly string[]) {
    this.#storePath = storePath
    this.#signal = signal
    this.#progress = progress
    this.#skipped = [...skipped]
  }

  async run(files: readonly TreeFile[]): Promise<void> {
    await this.#reopen({ errorIfExists: true })
    await this.#phase('store', files, (file, index) => this.#put(file, index))
    await this.#reopen()
    await this.#phase('read', this.#stored, (file) => this.#compare(file, 'as stored'))
    await this.#phase('change', this.#stored, (file) => this.#change(file))
    await this.#reopen()
    await this.#phase('read', this.#stored, (file) => this.#compare(file, 'as changed'))
    await this.#countKeys()
    await this.#close()
    this.#diskBytes = allocatedBytes(this.#storePath)
  }

  /** Closes what is still open after a failure. */
  async end(): Promise<void> {
    this.#progress.clear()
    const store = this.#store
    this.#store = undefined
    await store?.close()
  }

  /**
   * Does one thing with each file, a bounded number at a time.
   * `work` gives the bytes that it moved and, if it goes on, the promise of its end.
   */
  async #phase<F extends TreeFile>(
    name: string,
    files: readonly F[],
    work: (file: F, index: number) => Promise<Work | undefined>,
  ): Promise<void> {
    this.#progress.start(
      name,
      files.reduce((sum, file) => sum + file.size, 0),
    )
    const inFlight = new InFlight()
    const startedAt = performance.now()
    let count = 0
    let bytes = 0
    for (const [index, file] of files.entries()) {
      if (this.#signal.aborted) throw new InterruptedError('interrupted')
      await inFlight.waitFor(file.size)
      const result = await work(file, index)
      if (result) {
        count++
        bytes += result.bytes
        if (result.done) inFlight.add(result.done, result.bytes)
      }
      await this.#progress.advance(file.size)
    }
    await inFlight.drain()
    if (name !== 'read') await this.#openStore.sync()
    this.#record(name, count, bytes, startedAt)
  }

  #record(name: string, files: number, bytes: number, startedAt: number): void {
    this.#progress.clear()
    this.#phases.push({ name, files, bytes, seconds: (performance.now() - startedAt) / 1000 })
  }

  get #openStore(): Store {
    if (!this.#store) throw new Error('the store is closed')
    return this.#store
  }

  async #reopen(options: { errorIfExists?: boolean } = {}): Promise<void> {
    if (this.#store) await this.#close()
    const startedAt = performance.now()
    // Nobody asks it: nothing of it shall be left, also where sockets lie.
    this.#store = await open(this.#storePath, { ...options, controlSocket: false })
    this.#record('open', 0, 0, startedAt)
  }

  async #close(): Promise<void> {
    const startedAt = performance.now()
    const store = this.#openStore
    // What closing would write anyway; the counters are gone after it.
    await store.flush()
    const stats = store.stats()
    this.#userBytes += stats.userBytesWritten
    this.#writtenBytes += stats.logBytesWritten + stats.tableBytesWritten
    this.#store = undefined
    await store.close()
    this.#record('close', 0, 0, startedAt)
  }

  async #put(file: TreeFile, index: number): Promise<Work | undefined> {
    const stamp = stampOf(file)
    const value = await this.#read(file)
    if (!value) return undefined
    this.#stored.push({ ...file, size: value.length, index, stamp })
    return { bytes: value.length, done: this.#openStore.put(file.key, value) }
  }

  async #change(file: StoredFile): Promise<Work | undefined> {
    if (isDeleted(file)) return { bytes: 0, done: this.#openStore.delete(file.key) }
    if (!isOverwritten(file)) return undefined
    const value = await this.#read(file)
    if (!value) return undefined
    const changed = Buffer.concat([OVERWRITTEN, value])
    return { bytes: changed.length, done: this.#openStore.put(file.key, changed) }
  }

  async #compare(file: StoredFile, state: 'as stored' | 'as changed'): Promise<Work | undefined> {
    const value = await this.#openStore.get(file.key)
    if (state === 'as changed' && isDeleted(file)) {
      if (value) this.mismatches.push(`${quote(file.key)}: deleted, but still there`)
      return undefined
    }
    const original = await this.#read(file)
    if (!original) return undefined
    const skip = state === 'as changed' && isOverwritten(file) ? OVERWRITTEN.length : 0
    if (state === 'as changed') this.#liveBytes += file.key.length + (value?.length ?? 0)
    if (!value) this.mismatches.push(`${quote(file.key)}: missing`)
    else if (!isEqual(value, skip, original)) {
      if (stampOf(file) !== file.stamp) this.#note(file, 'changed on disk meanwhile')
      else this.mismatches.push(`${quote(file.key)}: other bytes than the file`)
    }
    return { bytes: value?.length ?? 0 }
  }

  /** What the store lists must be what was stored, no more and no less. */
  async #countKeys(): Promise<void> {
    let listed = 0
    for await (const _ of this.#openStore.keys()) listed++
    const expected = this.#stored.filter((file) => !isDeleted(file)).length
    if (listed !== expected) this.mismatches.push(`${listed} keys listed, ${expected} expected`)
  }

  /** The bytes of a file, or undefined, with a note, if it cannot be read or is too large by now. */
  async #read(file: TreeFile): Promise<Buffer | undefined> {
    try {
      const isSmall = file.size <= READ_SYNC_BYTES_MAX
      const bytes = isSmall ? fs.readFileSync(file.path) : await fs.promises.readFile(file.path)
      if (bytes.length <= FILE_BYTES_MAX) return bytes
      this.#note(file, 'larger than 2 GiB')
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error
      this.#note(file, (error as Error).message)
    }
    return undefined
  }

  #note(file: TreeFile, reason: string): void {
    this.#skipped.push(`${quote(file.key)}: ${reason}`)
  }

  async report(json: boolean, output: Output): Promise<void> {
    printNotes('skipped', this.#skipped)
    printNotes('MISMATCH', this.mismatches)
    const totals = {
      files: this.#stored.length,
      bytes: this.#stored.reduce((sum, file) => sum + file.size, 0),
      skipped: this.#skipped.length,
      seconds: this.#phases.reduce((sum, phase) => sum + phase.seconds, 0),
      writeAmplification: ratio(this.#writtenBytes, this.#userBytes),
      spaceAmplification: ratio(this.#diskBytes, this.#liveBytes),
      mismatches: this.mismatches.length,
    }
    if (json) await output.json({ phases: this.#phases, ...totals })
    else await output.write(render(this.#phases, totals, output.columns))
  }
}

/** Sums over all phases. */
interface Totals {
  readonly files: number
  readonly bytes: number
  readonly skipped: number
  readonly seconds: number
  /** Null if nothing was written. */
  readonly writeAmplification: number | null
  readonly spaceAmplification: number | null
  readonly mismatches: number
}

function render(phases: readonly Phase[], totals: Totals, columns: number): string {
  const rows = phases.map(({ name, files, bytes, seconds }) => [
    name,
    `${files}`,
    `${bytes}`,
    seconds.toFixed(3),
    bytes === 0 ? '-' : (bytes / 1e6 / seconds).toFixed(1),
  ])
  const titles = ['files', 'bytes', 'seconds', 'MB/s'].map((title) => ({ title }))
  return `${formatTable([{ title: 'phase', align: 'left' }, ...titles], rows, columns)}\n${formatFields(
    [
      ['files', `${totals.files}`],
      ['bytes', `${totals.bytes}`],
      ['skipped', `${totals.skipped}`],
      ['seconds', totals.seconds.toFixed(3)],
      ['bytes written per user byte', totals.writeAmplification?.toFixed(3) ?? '-'],
      ['space per live byte', totals.spaceAmplification?.toFixed(3) ?? '-'],
      ['mismatches', `${totals.mismatches}`],
    ],
    columns,
  )}`
}

interface Work {
  readonly bytes: number
  readonly done?: Promise<void>
}

function isDeleted(file: StoredFile): boolean {
  return file.index % DELETE_EVERY === DELETE_EVERY - 1
}

function isOverwritten(file: StoredFile): boolean {
  return !isDeleted(file) && file.index % OVERWRITE_EVERY === OVERWRITE_EVERY - 1
}

/** Whether the value is the file's bytes, behind the mark of an overwritten one. */
function isEqual(value: Buffer, skip: number, original: Buffer): boolean {
  return (
    value.subarray(0, skip).equals(OVERWRITTEN.subarray(0, skip)) &&
    value.subarray(skip).equals(original)
  )
}

/** Changes when somebody writes to the file. */
function stampOf(file: TreeFile): string {
  const stat = fs.lstatSync(file.path, { throwIfNoEntry: false })
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : 'gone'
}

/** Bytes that the file system has allocated for the files of a directory. */
function allocatedBytes(directory: string): number {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const stats = names.map((name) => fs.lstatSync(path.join(directory, name)))
  return stats.reduce((sum, stat) => sum + (stat.isFile() ? stat.blocks * 512 : 0), 0)
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

function printNotes(word: string, notes: readonly string[]): void {
  for (const note of notes.slice(0, NOTES_MAX)) process.stderr.write(`${word} ${note}\n`)
  if (notes.length > NOTES_MAX) process.stderr.write(`${word} ${notes.length - NOTES_MAX} more\n`)
}
