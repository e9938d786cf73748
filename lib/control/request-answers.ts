/** What an open store answers to each request of the control socket. */
import { invalidArgument } from '../base/errors.ts'
import type {
  CollectionPlan,
  CollectionProgress,
  CollectionReport,
  CollectOptions,
} from '../collector/collection.ts'
import { plainObject, refuseUnknown } from '../options.ts'
import type { ReadableSequences } from '../readable-sequences.ts'
import type { Stats } from '../stats.ts'
import type { KeyRange, SegmentInfo, SignalOptions } from '../types.ts'
import type { ControlRequest, ControlRequestName, ControlResults } from './protocol.ts'

/** The parts of a store that are asked. */
export interface ControlledStore {
  stats(): Stats
  segments(): SegmentInfo[]
  planCollection(options: CollectOptions): Promise<CollectionPlan>
  collect(options: CollectOptions & { readonly plan?: CollectionPlan }): Promise<CollectionReport>
  flush(): Promise<void>
  compact(range: KeyRange, options: SignalOptions): Promise<void>
}

interface Asked {
  readonly readers: ReadableSequences
  readonly options: Record<string, unknown>
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: CollectionProgress) => void
}

type Answer<Name extends ControlRequestName> = (
  store: ControlledStore,
  asked: Asked,
) => ControlResults[Name] | Promise<ControlResults[Name]>

const COLLECT_OPTIONS = [
  'targetSpaceAmplification',
  'segments',
  'maxCopyBytes',
  'bytesPerSecond',
] as const

const ANSWERS: { readonly [Name in ControlRequestName]: Answer<Name> } = {
  stats: (store, { options }) => {
    refuseUnknown(options, [], 'stats')
    return store.stats()
  },
  segments: (store, { options }) => {
    refuseUnknown(options, [], 'segments')
    return store.segments()
  },
  snapshots: (store, { options, readers }) => {
    refuseUnknown(options, [], 'snapshots')
    const { lastSequence, snapshots, iterators } = store.stats()
    return {
      lastSequence,
      readers: readers.holders(),
      snapshots: snapshots.open,
      iterators: iterators.open,
    }
  },
  planCollection: (store, { options, signal }) => {
    refuseUnknown(options, COLLECT_OPTIONS, 'planCollection')
    return store.planCollection({ ...options, signal })
  },
  collect: (store, { options, signal, onProgress }) => {
    refuseUnknown(options, [...COLLECT_OPTIONS, 'plan'], 'collect')
    return store.collect({ ...options, signal, onProgress })
  },
  flush: async (store, { options }) => {
    refuseUnknown(options, [], 'flush')
    await store.flush()
    return {}
  },
  compact: async (store, { options, signal }) => {
    refuseUnknown(options, [], 'compact')
    await store.compact({}, { signal })
    return {}
  },
}

export class RequestAnswers {
  readonly #store: ControlledStore
  readonly #readers: ReadableSequences

  constructor(store: ControlledStore, readers: ReadableSequences) {
    this.#store = store
    this.#readers = readers
  }

  /** @throws what the store throws, WISC_INVALID_ARGUMENT */
  async answer(
    { request, options }: ControlRequest,
    signal: AbortSignal,
    onProgress: Asked['onProgress'],
  ): Promise<unknown> {
    if (!Object.hasOwn(ANSWERS, request)) throw invalidArgument('request is unknown')
    const answer: Answer<ControlRequestName> = ANSWERS[request as ControlRequestName]
    const given = plainObject(options, 'options')
    const asked = { options: given, readers: this.#readers, signal, onProgress }
    return answer(this.#store, asked)
  }
}
