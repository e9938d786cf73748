/**
 * The files of the value log in the order in which a cache gives them up: by the last sequence of any record in them.
 *
 *   segment      says so in the manifest, when it is sealed
 *   relocation   its records were written before its number was taken, so it is no younger than the first segment of a
 *                higher number: the two go together. A cache makes none, but the store may have been none before
 *   stream       its one entry says so: it is looked up by the key in the file's head, once. One whose head cannot be
 *                read goes with what is in tables by then: its entry is no younger
 *
 * What may be replayed stays (I12): the order ends where the checkpoint lies.
 */
import { toWiscError } from '../../base/errors.ts'
import { type FileNumber, SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { NumberMap } from '../../base/number-map.ts'
import { emitSafely } from '../../contract/events.ts'
import type { Space } from '../../space/space.ts'
import { Entry } from '../../tree/entry.ts'
import {
  EMPTY_VERSION,
  flushedEnd,
  logFiles,
  relocationFiles,
  type Version,
} from '../../tree/version/version.ts'
import type { LookState } from '../plan/decide.ts'
import { type CacheDecision, decideInCache, type EvictableFile } from '../plan/eviction.ts'
import type { InTurns } from '../plan/in-turns.ts'
import type { CollectorStore } from './action.ts'

/** Streams that are looked up in one turn: about a millisecond. */
const STREAMS_PER_TURN = 16

type EvictableStore = Pick<CollectorStore, 'context' | 'versions' | 'space' | 'tree' | 'values'>

interface AgedStream {
  readonly number: FileNumber
  readonly lastSequence: Sequence
}

export class EvictableFiles {
  readonly #store: EvictableStore
  /** The one whose streams are known. */
  #version: Pick<Version, 'files'> = EMPTY_VERSION
  /** Streams whose sequence is still to be found. */
  readonly #unknown: Set<FileNumber> = new Set()
  /** Oldest first. */
  #streams: AgedStream[] = []

  constructor(store: EvictableStore) {
    this.#store = store
  }

  /** What the cache should do next. @param isEvicting an eviction is under way */
  *decide(measured: Space, state: LookState, isEvicting: boolean): InTurns<CacheDecision> {
    yield* this.#follow()
    const { versions, space } = this.#store
    const { evictedBelow } = versions.current
    return yield* decideInCache(measured, {
      ...state,
      limitBytes: state.putLimitBytes - state.ballastBytesToCome,
      leavingBytes: space.usage.leavingBytes,
      evictedBelow,
      oldest: this.oldestFirst(),
      olderTableBytes: (below) => space.references.olderThan(below).tableBytes,
      flushedSequence: flushedSequence(versions.current),
      isEvicting,
    })
  }

  /** Looks up the streams that have come since. */
  *#follow(): InTurns<void> {
    this.#followVersion()
    let count = 0
    for (const number of this.#unknown) {
      if (this.#store.space.holdsStream(number)) continue
      if (++count % STREAMS_PER_TURN === 0) yield
      const lastSequence = this.#lastSequenceOf(number)
      if (lastSequence === undefined) continue
      this.#unknown.delete(number)
      this.#insert({ number, lastSequence })
    }
    // Some may have gone meanwhile.
    this.#followVersion()
  }

  #followVersion(): void {
    const { current } = this.#store.versions
    const gone = new Set<FileNumber>()
    NumberMap.diff(this.#version.files, current.files, (number, before, file) => {
      if (before === undefined && file?.role === 'stream') this.#unknown.add(number)
      if (before?.role === 'stream' && file === undefined) gone.add(number)
    })
    this.#version = current
    if (gone.size === 0) return
    this.#streams = this.#streams.filter(({ number }) => !gone.has(number))
    for (const number of gone) this.#unknown.delete(number)
  }

  /** The newest are looked up last, as a rule. */
  #insert(stream: AgedStream): void {
    let at = this.#streams.length
    while (at > 0 && this.#streams[at - 1]!.lastSequence > stream.lastSequence) at--
    this.#streams.splice(at, 0, stream)
  }

  /** @returns undefined if no entry names it: then it goes as all that nothing points to */
  #lastSequenceOf(number: FileNumber): Sequence | undefined {
    const { tree, versions } = this.#store
    const key = this.#keyOf(number)
    if (key === undefined) return flushedSequence(versions.current)
    const found = new Entry()
    tree.find(key, SEQUENCE_MAX, found)
    if (found.sequence === 0) return undefined
    if (found.segment === number) return found.sequence
    // Something newer hides the entry, which has a lower sequence then.
    return Math.min(found.sequence - 1, flushedSequence(versions.current))
  }

  /** @returns undefined if it cannot be read: nobody can read the stream then, and nothing else waits for it */
  #keyOf(number: FileNumber): Uint8Array | undefined {
    const { values, context } = this.#store
    try {
      return values.streamKey(number)
    } catch (error) {
      const { message } = toWiscError(error)
      emitSafely(context.events, 'warning', `the age of a stream cannot be read: ${message}`)
      return undefined
    }
  }

  /** Those that may go, oldest first, as of the version whose streams are known. */
  *oldestFirst(): Generator<EvictableFile, void> {
    const { versions, space } = this.#store
    const { current } = versions
    const sized = (number: FileNumber, lastSequence: Sequence): EvictableFile => ({
      number,
      lastSequence,
      bytes: space.usage.ofValueLogFile(number),
    })
    const relocations = relocationFiles(current)
    let relocation = relocations.next()
    let stream = 0
    for (const file of logFiles(current)) {
      const { number, seal } = file
      if (!seal || flushedEnd(current, file, seal.length) < seal.length) break
      const { lastSequence } = seal
      for (; (this.#streams[stream]?.lastSequence ?? SEQUENCE_MAX) <= lastSequence; stream++) {
        const aged = this.#streams[stream]!
        yield sized(aged.number, aged.lastSequence)
      }
      for (
        ;
        !relocation.done && relocation.value.number < number;
        relocation = relocations.next()
      ) {
        yield sized(relocation.value.number, lastSequence)
      }
      yield sized(number, lastSequence)
    }
    for (; stream < this.#streams.length; stream++) {
      const aged = this.#streams[stream]!
      yield sized(aged.number, aged.lastSequence)
    }
  }
}

/** Of the newest entry of any table. Files of the log may be sealed, and have newer records, which are in no table. */
function flushedSequence({ tables }: Version): Sequence {
  let newest = 0
  for (const { meta } of tables.values()) newest = Math.max(newest, meta.largestSequence)
  return newest
}
