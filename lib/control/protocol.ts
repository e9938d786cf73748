/**
 * The protocol of the control socket: lines of JSON, a request each, and lines of JSON for each answer.
 *
 *   -> {"version":1,"id":7,"request":"collect","options":{"targetSpaceAmplification":1.2}}
 *   <- {"id":7,"progress":{"phase":"rewrite",...}}        any number of them
 *   <- {"id":7,"result":{...}}  or  {"id":7,"error":{"code":"WISC_...","message":"..."}}
 *
 * A connection's requests are answered one after the other, in their order. Whoever closes the connection cancels what
 * it has asked for, and gives up what it holds. An answer holds figures and names of files, never a key, a value or a
 * place in the code.
 */
import type { Sequence } from '../base/ids.ts'
import type { CollectionPlan, CollectionReport } from '../contract/collection.ts'
import type { CollectorPreference } from '../contract/options.ts'
import type { Stats } from '../contract/reports.ts'
import type { SegmentInfo } from '../contract/types.ts'

export const PROTOCOL_VERSION = 1
/** A longer request is refused, and the connection ends. */
export const REQUEST_BYTES_MAX: number = 64 * 1024

/** So many snapshots and iterators read at a sequence. */
export interface ReadersAt {
  readonly sequence: Sequence
  readonly count: number
}

/** What snapshots and iterators are open, as sequences. */
export interface OpenReaders {
  readonly lastSequence: Sequence
  /** Ascending by sequence. */
  readonly readers: readonly ReadersAt[]
  readonly snapshots: number
  readonly iterators: number
}

/** The process that has the store open, and how. */
export interface OwnerFacts {
  readonly pid: number
  /** `paused`: by pauseCollector; `off`: it was never on. */
  readonly collector: 'on' | 'paused' | 'off'
  readonly targetSpaceAmplification: number
  readonly segmentBytes: number
  readonly punchHoles: boolean
  readonly prefer: CollectorPreference
}

/** The requests, with what they give. Numbers that JSON does not know are null. */
export interface ControlResults {
  readonly stats: Stats
  readonly segments: readonly SegmentInfo[]
  readonly snapshots: OpenReaders
  readonly owner: OwnerFacts
  /**
   * A snapshot that stays open as long as the connection does: who says nothing for a minute is sent away. Asked again
   * on the same connection it stays the same.
   */
  readonly hold: { readonly sequence: Sequence }
  /** Options: targetSpaceAmplification, segments, maxCopyBytes, bytesPerSecond. */
  readonly planCollection: CollectionPlan
  /** The same options, and plan. */
  readonly collect: CollectionReport
  readonly flush: Readonly<Record<string, never>>
  readonly compact: Readonly<Record<string, never>>
}

export type ControlRequestName = keyof ControlResults

export interface ControlRequest {
  readonly version: number
  readonly id: number
  readonly request: string
  readonly options?: object
}

export interface ControlError {
  readonly code: string
  readonly message: string
}

export interface ControlAnswer {
  readonly id: number
  readonly progress?: unknown
  readonly result?: unknown
  readonly error?: ControlError
}

/** Cuts what comes into lines, and bounds what is not taken yet. */
export class LineBuffer {
  readonly #bytesMax: number
  readonly #lines: Buffer[] = []
  #rest: Buffer[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** @returns false if that is too much */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes > this.#bytesMax) return false
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#lines.push(Buffer.concat([...this.#rest, chunk.subarray(from, end)]))
      this.#rest = []
      from = end + 1
    }
    if (from < chunk.length) this.#rest.push(chunk.subarray(from))
    return true
  }

  /** The next whole line. */
  take(): string | undefined {
    const line = this.#lines.shift()
    if (line === undefined) return undefined
    this.#bytes -= line.length + 1
    return line.toString()
  }
}
