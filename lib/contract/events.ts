/** Events: their payloads, and how they are emitted. */
import type { EventEmitter } from 'node:events'
import type { WiscError } from '../base/errors.ts'
import type { CollectedStep } from './collection.ts'

/** A memtable is in tables. */
export interface FlushEvent {
  /** Tables that were written. */
  readonly tables: number
  /** Their bytes. */
  readonly bytes: number
  readonly ms: number
}

/** Tables of one level were merged into another one. */
export interface CompactionEvent {
  /**
   * A level had too many runs or bytes, a table many tombstones or many old addresses; garbage is exposed for the
   * collector or `collect`; range deletes or an eviction cover tables whole, which leave unread; or `compact` asked.
   */
  readonly reason: 'runs' | 'bytes' | 'tombstones' | 'addresses' | 'garbage' | 'manual' | 'covered'
  readonly inputLevel: number
  readonly outputLevel: number
  readonly inputTables: number
  readonly inputBytes: number
  readonly outputTables: number
  readonly outputBytes: number
  /** Nothing was merged: the tables only belong to another level now. */
  readonly moved: boolean
  readonly ms: number
}

/** A step of a collection was carried out. */
export interface CollectionEvent extends CollectedStep {
  /** By itself, to keep within the bound of space, or because `collect` asked for it. */
  readonly reason: 'space' | 'asked'
}

/** What a cache has given up. */
export interface EvictedFiles {
  /** Files of values that have gone. */
  readonly segments: number
  /** Values with files of their own, by putStream, that have gone. */
  readonly streams: number
  /** Of all these files, on disk. */
  readonly bytes: number
}

/** A cache was full, and has given up what was oldest. */
export interface EvictedEvent extends EvictedFiles {
  /** Everything with a lower sequence reads as missing. */
  readonly belowSequence: number
  readonly ms: number
}

/**
 * What writers waited for: merges (`level 0` has too many runs), a flush (no memtable is free), garbage to come back
 * (`space`, near the target; `maxBytesOnDisk`, which is `cache.maxBytes` of a cache, too), a place in the log, or the
 * ballast of a full disk, for deletes.
 */
export type StallReason = 'level 0' | 'flush' | 'space' | 'maxBytesOnDisk' | 'log' | 'ballast'

/** Writers have waited for background work, once or several times in a row. */
export interface StallEvent {
  /** For how long, the time between the waits left out. */
  readonly ms: number
  /** Where they have waited for several things, the one that took longest. */
  readonly reason: StallReason
}

/** A store that follows its writer shows more. */
export interface AdvancedEvent {
  /** What was shown before ended with this sequence. */
  readonly previousSequence: number
  /** What is shown ends with it now. Lower than before only where the writer's machine has lost the end of its log. */
  readonly lastSequence: number
}

/** The events of a store, and what their listeners are called with. */
export interface StoreEvents {
  flush: [event: FlushEvent]
  compaction: [event: CompactionEvent]
  collection: [event: CollectionEvent]
  evicted: [event: EvictedEvent]
  stall: [event: StallEvent]
  advanced: [event: AdvancedEvent]
  /** Something that people should know: a sentence. */
  warning: [message: string]
  /** Background work has failed. Emitted only if someone listens; the next write carries the error in any case. */
  error: [error: WiscError]
}

/** What is called for an event. */
export type StoreListener<Name extends keyof StoreEvents> = (...args: StoreEvents[Name]) => void

/** An emitter of events of these names only, with their payloads. */
export interface StoreEmitter extends EventEmitter {
  on<Name extends keyof StoreEvents>(name: Name, listener: StoreListener<Name>): this
  once<Name extends keyof StoreEvents>(name: Name, listener: StoreListener<Name>): this
  off<Name extends keyof StoreEvents>(name: Name, listener: StoreListener<Name>): this
  addListener<Name extends keyof StoreEvents>(name: Name, listener: StoreListener<Name>): this
  removeListener<Name extends keyof StoreEvents>(name: Name, listener: StoreListener<Name>): this
  prependListener<Name extends keyof StoreEvents>(name: Name, listener: StoreListener<Name>): this
  prependOnceListener<Name extends keyof StoreEvents>(
    name: Name,
    listener: StoreListener<Name>,
  ): this
  removeAllListeners(name?: keyof StoreEvents): this
  emit<Name extends keyof StoreEvents>(name: Name, ...args: StoreEvents[Name]): boolean
  listenerCount(name: keyof StoreEvents, listener?: StoreListener<never>): number
}

/**
 * Emits. What a listener throws is the listener's, and must not stop the store in the middle of a step: it becomes an
 * uncaught exception of the process, in a tick of its own.
 */
export function emitSafely<Name extends keyof StoreEvents>(
  events: EventEmitter,
  name: Name,
  ...args: StoreEvents[Name]
): void {
  try {
    events.emit(name, ...args)
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

const told = new Set<string>()

/** A 'warning' of a store that also everyone should see who does not listen: once a process it is one of Node's. */
export function warnLoudly(events: EventEmitter, message: string): void {
  emitSafely(events, 'warning', message)
  if (told.has(message)) return
  told.add(message)
  process.emitWarning(message, 'WiscWarning')
}
