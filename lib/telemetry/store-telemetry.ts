/**
 * What a store tells those who watch it without a word in the program: channels of `node:diagnostics_channel`, and the
 * histograms of `metrics()`.
 *
 * Calls are traced in the way of Node (`tracingChannel`), events are published when they are emitted. Channels are
 * those of the process: `path` of a message says which store it is about.
 */
import {
  type Channel,
  channel,
  type TracingChannel,
  tracingChannel,
} from 'node:diagnostics_channel'
import type { StoreEmitter } from '../contract/events.ts'
import { CALL_BOUNDS, Histogram, WORK_BOUNDS } from './histogram.ts'

const PUTS: TracingChannel<string, object> = tracingChannel('wisc:put')
const GETS: TracingChannel<string, object> = tracingChannel('wisc:get')

/** Events of which a channel tells, too. Errors are what calls reject with, and in `stats`. */
const PUBLISHED = [
  'flush',
  'compaction',
  'collection',
  'evicted',
  'stall',
  'advanced',
  'warning',
] as const
/** Of these, what takes its time. */
const WORK = ['flush', 'compaction', 'collection', 'stall'] as const

/** A method, and by their names the arguments that it was called with: nothing is copied. */
export interface TracedCall {
  readonly operation: string
  readonly [argument: string]: unknown
}

/** Calls of one kind. Data plane: before somebody watches, `isWatched` is all that is asked, and nothing is done. */
export class TracedCalls {
  readonly #path: string
  readonly #channel: TracingChannel<string, object>
  /** Undefined until they shall be timed. */
  times: Histogram | undefined

  constructor(path: string, channel: TracingChannel<string, object>) {
    this.#path = path
    this.#channel = channel
  }

  get isWatched(): boolean {
    return this.times !== undefined || this.#channel.hasSubscribers
  }

  later<A extends unknown[], T>(
    traced: TracedCall,
    call: (...args: A) => Promise<T>,
    on: object,
    ...args: A
  ): Promise<T> {
    const began = performance.now()
    const channel = this.#channel
    const called = channel.hasSubscribers
      ? channel.tracePromise(call, { path: this.#path, ...traced }, on, ...args)
      : call.apply(on, args)
    const { times } = this
    if (times) {
      const note = (): void => times.note(performance.now() - began)
      called.then(note, note)
    }
    return called
  }

  now<A extends unknown[], T>(
    traced: TracedCall,
    call: (...args: A) => T,
    on: object,
    ...args: A
  ): T {
    const began = performance.now()
    const channel = this.#channel
    try {
      return channel.hasSubscribers
        ? channel.traceSync(call, { path: this.#path, ...traced }, on, ...args)
        : call.apply(on, args)
    } finally {
      this.times?.note(performance.now() - began)
    }
  }
}

export class StoreTelemetry {
  /** put, delete, deleteRange and write. */
  readonly puts: TracedCalls
  /** get, getSync and getMany. */
  readonly gets: TracedCalls
  /** By their events, since the open: to note what is so rare costs nothing. */
  readonly work: Readonly<Record<(typeof WORK)[number], Histogram>> = {
    flush: new Histogram(WORK_BOUNDS),
    compaction: new Histogram(WORK_BOUNDS),
    collection: new Histogram(WORK_BOUNDS),
    stall: new Histogram(WORK_BOUNDS),
  }

  /** @param path of the directory @param events of the engine: a listener of the store that throws comes later */
  constructor(path: string, events: StoreEmitter) {
    this.puts = new TracedCalls(path, PUTS)
    this.gets = new TracedCalls(path, GETS)
    for (const name of WORK) {
      events.on(name, ({ ms }: { readonly ms: number }) => this.work[name].note(ms))
    }
    for (const name of PUBLISHED) {
      const published: Channel = channel(`wisc:${name}`)
      events.on(name, (event: object | string) => {
        if (!published.hasSubscribers) return
        const told = typeof event === 'string' ? { message: event } : event
        published.publish({ path, ...told })
      })
    }
  }

  /** From now on; what costs less than it is worth only to those who look at it. */
  timeCalls(): void {
    this.puts.times ??= new Histogram(CALL_BOUNDS)
    this.gets.times ??= new Histogram(CALL_BOUNDS)
  }
}
