/**
 * A thread that helps with reads from warm files: it reads the last ones of a batch while the caller reads the first.
 *
 * Nothing depends on it. The caller takes back what nobody has begun, does again what could not be read whole, and does
 * not wait. Where no core is idle help does not pay: a batch has it only while those with help take less time.
 *
 * It begins when large batches come often, ends when none came for a while, and keeps no process alive. It belongs to
 * all stores of the calling thread. Descriptors are those of the process: each file of a batch is kept open until the
 * last read of it has ended.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { assert } from '../errors.ts'
import type { File, ReadHelper } from '../files/file-system.ts'
import { HelpChoice } from './help-choice.ts'
import { NodeFile } from './node-file.ts'
import { newSharedReadsMemory, PLACES, SharedReads } from './shared-reads.ts'

/** So many batches in such a time let a thread begin. */
const BUSY_BATCHES = 64
const BUSY_MS = 10_000
/** How often it is asked whether there were batches meanwhile, and how often in a row none was before it ends. */
const IDLE_LOOK_MS = 1000
const IDLE_LOOKS = 3
/** Looks at a read that a thread has begun, before the caller does it by itself: some 20 us. */
const SPINS = 2000

const ENTRY: URL | undefined = threadEntry()

/** undefined where modules have no address, as in a bundle of CommonJS. */
function threadEntry(): URL | undefined {
  try {
    return new URL('./helper-thread.js', import.meta.url)
  } catch {
    return undefined
  }
}

export class ThreadReadHelper implements ReadHelper {
  readonly #entry: URL | undefined
  readonly #idleLookMs: number
  /** No thread could begin, there is one core alone, or a file could not be closed: there will be no more help. */
  isUseless: boolean
  #thread: Worker | undefined
  #reads: SharedReads | undefined
  /** The file of each place. Behind the end of a batch: of those that a thread has not come to its end with. */
  readonly #files: (NodeFile | undefined)[] = Array.from({ length: PLACES })
  #places = 0
  #arenaUsed = 0
  #isOpen = false
  /** Of a batch that is timed. */
  #began = 0
  #isHelping = false
  #choice: HelpChoice = new HelpChoice()
  #late = 0
  #batches = 0
  #since = 0
  #batchesAtLook = 0
  #idleLooks = 0
  #timer: NodeJS.Timeout | undefined

  /** @param entry the code of a thread; a test passes one of its own, and another time between two looks */
  constructor(
    entry: URL | undefined = ENTRY,
    idleLookMs: number = IDLE_LOOK_MS,
    cores: number = availableParallelism(),
  ) {
    this.#entry = entry
    this.#idleLookMs = idleLookMs
    this.isUseless = entry === undefined || cores < 2
  }

  /** A thread helps now. */
  get isReady(): boolean {
    return this.#reads !== undefined && this.#reads.ready > 0
  }

  begin(): boolean {
    if (this.isUseless || this.#isOpen) return false
    this.#batches++
    if (this.#reads === undefined) this.#note()
    if (!this.isReady || (this.#late > 0 && !this.#forgetLate())) return false
    this.#began = performance.now()
    this.#isHelping = this.#choice.choose()
    if (!this.#isHelping) return false
    this.#isOpen = true
    this.#places = 0
    this.#arenaUsed = 0
    return true
  }

  offer(file: File, length: number, position: number): number {
    assert(this.#isOpen, 'a batch has begun')
    const place = this.#places
    if (!(file instanceof NodeFile) || place === PLACES) return -1
    const descriptor = file.beginShared()
    const end = this.#reads!.offer(place, this.#arenaUsed, descriptor, length, position)
    if (end < 0) {
      file.endShared()
      return -1
    }
    this.#arenaUsed = end
    this.#files[place] = file
    this.#places++
    return place
  }

  share(): void {
    this.#reads!.share(this.#places)
  }

  wasRead(place: number): boolean {
    const reads = this.#reads!
    if (reads.takeBack(place)) {
      this.#forget(place)
      return false
    }
    for (let spins = 0; spins < SPINS; spins++) if (reads.isEnded(place)) return reads.isRead(place)
    return false
  }

  take(place: number, target: Uint8Array, targetOffset: number): void {
    this.#reads!.take(place, target, targetOffset)
    this.#forget(place)
  }

  end(reads: number): void {
    if (this.#began > 0 && reads > 0) {
      this.#choice.note(this.#isHelping, (performance.now() - this.#began) / reads)
    }
    this.#began = 0
    if (this.#isOpen) this.#giveUp()
  }

  /** Takes back what was not taken. */
  #giveUp(): void {
    const reads = this.#reads!
    this.#isOpen = false
    this.#late = 0
    for (let place = 0; place < this.#places; place++) {
      if (this.#files[place] === undefined) continue
      if (reads.takeBack(place) || reads.isEnded(place)) this.#forget(place)
      else this.#late++
    }
  }

  /** Ends the thread; for a test. */
  async close(): Promise<void> {
    await this.#thread?.terminate()
  }

  #forget(place: number): void {
    const file = this.#files[place]!
    this.#files[place] = undefined
    try {
      file.endShared()
    } catch {
      // Its close was put off to this moment, in somebody else's read or in an event: an error would hit the wrong one.
      // What it could tell is of writes, and these were synced before. Of such files no more are shared.
      this.isUseless = true
    }
  }

  /** Takes what a thread was too slow with, if that has ended by now. @returns true if nothing is left */
  #forgetLate(): boolean {
    const reads = this.#reads!
    for (let place = 0; place < this.#places; place++) {
      if (this.#files[place] === undefined || !reads.isEnded(place)) continue
      this.#forget(place)
      this.#late--
    }
    return this.#late === 0
  }

  /** Counts a batch without help: when there are many, a thread begins. */
  #note(): void {
    if (this.#batches % BUSY_BATCHES !== 0) return
    const now = performance.now()
    const isBusy = now - this.#since < BUSY_MS
    this.#since = now
    if (isBusy) this.#hire()
  }

  #hire(): void {
    const memory = newSharedReadsMemory()
    const reads = new SharedReads(memory)
    let thread: Worker
    try {
      // Flags of the process, such as --input-type and --import, are not meant for it.
      thread = new Worker(this.#entry!, { name: 'wisc', execArgv: [], workerData: memory })
    } catch {
      this.isUseless = true
      return
    }
    // What it died of is of no interest: the caller reads on.
    thread.on('error', () => undefined)
    thread.on('exit', () => this.#left(reads))
    thread.unref()
    this.#thread = thread
    this.#reads = reads
    this.#choice = new HelpChoice()
    this.#idleLooks = 0
    this.#timer = setInterval(() => this.#look(), this.#idleLookMs)
    this.#timer.unref()
  }

  #look(): void {
    if (this.#late > 0) this.#forgetLate()
    const isIdle = this.#batches === this.#batchesAtLook
    this.#batchesAtLook = this.#batches
    this.#idleLooks = isIdle ? this.#idleLooks + 1 : 0
    if (this.#idleLooks >= IDLE_LOOKS) this.#reads!.stop()
  }

  /** The thread has ended, or died: nobody uses a descriptor any more. */
  #left(reads: SharedReads): void {
    if (reads.ready === 0) this.isUseless = true
    clearInterval(this.#timer)
    this.#thread = undefined
    this.#reads = undefined
    for (let place = 0; place < this.#places; place++) if (this.#files[place]) this.#forget(place)
    this.#places = 0
    this.#late = 0
  }
}

/** That of all stores of this thread. */
export const threadReadHelper: ThreadReadHelper = new ThreadReadHelper()
