/**
 * Reads of one batch that a caller shares with helping threads, in memory that all of them see.
 *
 *   place:   0   1   2   3 ..   .. n-2  n-1
 *   caller:  --->                            takes back, reads by itself
 *   threads:                           <---  take, read into the arena
 *
 * Each place belongs to one side at a time, by its state:
 *
 *   caller's --offer--> open --thread--> taken --thread--> read or refused: the caller's again
 *                           `--takeBack--> caller's
 *
 * What a place says is written before it is open, and its bytes before it is read. The caller waits for nobody: a read
 * that a thread is too slow with it does itself, and the place stays the thread's until that has come to its end.
 */

/** Reads of a batch. */
export const PLACES = 256
/** Memory for what threads read. */
const ARENA_BYTES = 2 * 1024 * 1024

const CALLERS = 0
const OPEN = 1
const TAKEN = 2
const READ = 3
const REFUSED = 4

// Words of the control block: each has a cache line of its own.
const LINE_WORDS = 16
/** Places of the batch. */
const COUNT = 0 * LINE_WORDS
/** Another number whenever a thread that waits may have something to do: what threads sleep on. */
const NEWS = 1 * LINE_WORDS
/** Threads that wait for news, or are about to. */
const WAITING = 2 * LINE_WORDS
const STOPPED = 3 * LINE_WORDS
/** Threads that have begun. */
const READY = 4 * LINE_WORDS
const CONTROL_WORDS = 5 * LINE_WORDS

/** What a thread is handed. */
export interface SharedReadsMemory {
  readonly words: SharedArrayBuffer
  readonly positions: SharedArrayBuffer
  readonly arena: SharedArrayBuffer
}

export function newSharedReadsMemory(): SharedReadsMemory {
  return {
    words: new SharedArrayBuffer((CONTROL_WORDS + 4 * PLACES) * 4),
    positions: new SharedArrayBuffer(PLACES * 8),
    arena: new SharedArrayBuffer(ARENA_BYTES),
  }
}

/** Reads a range of a file into memory. @returns true if all of it was there */
export type ReadCall = (
  descriptor: number,
  target: Buffer,
  targetOffset: number,
  length: number,
  position: number,
) => boolean

/** One side of the batch. */
export class SharedReads {
  readonly #control: Int32Array
  readonly #states: Int32Array
  readonly #descriptors: Int32Array
  readonly #lengths: Int32Array
  /** Where in the arena the bytes of a place begin. */
  readonly #starts: Int32Array
  readonly #positions: Float64Array
  readonly #arena: Buffer

  constructor({ words, positions, arena }: SharedReadsMemory) {
    const byPlace = (index: number): Int32Array =>
      new Int32Array(words, (CONTROL_WORDS + index * PLACES) * 4, PLACES)
    this.#control = new Int32Array(words, 0, CONTROL_WORDS)
    this.#states = byPlace(0)
    this.#descriptors = byPlace(1)
    this.#lengths = byPlace(2)
    this.#starts = byPlace(3)
    this.#positions = new Float64Array(positions)
    this.#arena = Buffer.from(arena)
  }

  /** Threads that have begun. */
  get ready(): number {
    return Atomics.load(this.#control, READY)
  }

  /** Caller: hands over a place that is its own. @returns where in the arena the next one may begin; -1: no room */
  offer(
    place: number,
    start: number,
    descriptor: number,
    length: number,
    position: number,
  ): number {
    if (start + length > ARENA_BYTES) return -1
    this.#descriptors[place] = descriptor
    this.#lengths[place] = length
    this.#starts[place] = start
    this.#positions[place] = position
    Atomics.store(this.#states, place, OPEN)
    return start + length
  }

  /** Caller: a thread may begin with the last of so many places. */
  share(count: number): void {
    const control = this.#control
    Atomics.store(control, COUNT, count)
    Atomics.add(control, NEWS, 1)
    if (Atomics.load(control, WAITING) > 0) Atomics.notify(control, NEWS, 1)
  }

  /** Caller: takes a place back that no thread has begun. @returns false if one has */
  takeBack(place: number): boolean {
    return Atomics.compareExchange(this.#states, place, OPEN, CALLERS) === OPEN
  }

  /** Caller, of a place that a thread took: true when that has come to its end. */
  isEnded(place: number): boolean {
    return Atomics.load(this.#states, place) >= READ
  }

  /** Caller, of a place that has ended: true if all of it was read. */
  isRead(place: number): boolean {
    return Atomics.load(this.#states, place) === READ
  }

  /** Caller: copies the bytes of a place that was read. */
  take(place: number, target: Uint8Array, targetOffset: number): void {
    const start = this.#starts[place]!
    this.#arena.copy(target, targetOffset, start, start + this.#lengths[place]!)
  }

  /** Caller: threads end. */
  stop(): void {
    Atomics.store(this.#control, STOPPED, 1)
    Atomics.add(this.#control, NEWS, 1)
    Atomics.notify(this.#control, NEWS)
  }

  /** Thread: reads what there is to read, until it is stopped. */
  serve(read: ReadCall): void {
    const control = this.#control
    Atomics.add(control, READY, 1)
    for (;;) {
      // Before it looks: what comes later makes the wait end at once.
      const news = Atomics.load(control, NEWS)
      if (Atomics.load(control, STOPPED) !== 0) return
      this.readBackwards(read)
      Atomics.add(control, WAITING, 1)
      Atomics.wait(control, NEWS, news)
      Atomics.sub(control, WAITING, 1)
    }
  }

  /** Thread: reads what is open, from the last place on. */
  readBackwards(read: ReadCall): void {
    const states = this.#states
    for (let place = Atomics.load(this.#control, COUNT) - 1; place >= 0; place--) {
      if (Atomics.compareExchange(states, place, OPEN, TAKEN) !== OPEN) continue
      const isWhole = read(
        this.#descriptors[place]!,
        this.#arena,
        this.#starts[place]!,
        this.#lengths[place]!,
        this.#positions[place]!,
      )
      Atomics.store(states, place, isWhole ? READ : REFUSED)
    }
  }
}
