/** The answers of an open store to the requests of the control socket. */
import { invalidArgument } from '../base/errors.ts'
import type { Sequence } from '../base/ids.ts'
import { plainObject, refuseUnknown } from '../contract/checks.ts'
import type {
  CollectionPlan,
  CollectionProgress,
  CollectionReport,
  CollectOptions,
} from '../contract/collection.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { Stats } from '../contract/reports.ts'
import type { KeyRange, SegmentInfo, SignalOptions } from '../contract/types.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
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

/** What only its engine knows. */
export interface ControlledEngine {
  readonly readers: ReadableSequences
  readonly visibleSequence: Sequence
  readonly options: {
    readonly segmentBytes: number
    readonly collector: ResolvedOptions['collector']
  }
  readonly collector: { readonly isPaused: boolean }
}

/** What one connection holds until it ends. */
export interface Held {
  sequence: Sequence | undefined
}

interface Asked {
  readonly engine: ControlledEngine
  readonly held: Held
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
  owner: (_store, { options, engine }) => {
    refuseUnknown(options, [], 'owner')
    const { segmentBytes, collector } = engine.options
    const { enabled, targetSpaceAmplification, punchHoles, prefer } = collector
    const isOn = engine.collector.isPaused ? 'paused' : 'on'
    return {
      pid: process.pid,
      collector: enabled ? isOn : 'off',
      targetSpaceAmplification,
      segmentBytes,
      punchHoles,
      prefer,
    }
  },
  hold: (_store, { options, engine, held, signal }) => {
    refuseUnknown(options, [], 'hold')
    if (held.sequence === undefined) {
      const sequence = engine.visibleSequence
      const { moment } = engine.readers
      engine.readers.hold(sequence, moment)
      held.sequence = sequence
      const release = (): void => engine.readers.release(sequence, moment)
      if (signal.aborted) release()
      else signal.addEventListener('abort', release, { once: true })
    }
    return { sequence: held.sequence }
  },
  snapshots: (store, { options, engine }) => {
    refuseUnknown(options, [], 'snapshots')
    const { lastSequence, snapshots, iterators } = store.stats()
    return {
      lastSequence,
      readers: engine.readers.holders(),
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
  readonly #engine: ControlledEngine

  constructor(store: ControlledStore, engine: ControlledEngine) {
    this.#store = store
    this.#engine = engine
  }

  /**
   * @param held what the connection holds, the same for all its requests
   * @param signal fires when it ends
   * @throws what the store throws, WISC_INVALID_ARGUMENT
   */
  async answer(
    { request, options }: ControlRequest,
    held: Held,
    signal: AbortSignal,
    onProgress: Asked['onProgress'],
  ): Promise<unknown> {
    if (!Object.hasOwn(ANSWERS, request)) throw invalidArgument('request is unknown')
    const answer: Answer<ControlRequestName> = ANSWERS[request as ControlRequestName]
    const given = plainObject(options, 'options')
    const asked = { options: given, engine: this.#engine, held, signal, onProgress }
    return answer(this.#store, asked)
  }
}
