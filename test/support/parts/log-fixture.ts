/** A log whose edits the test answers, holds back or refuses, on the fault-injecting file system. */
import type { WiscError } from '#dist/lib/base/errors.js'
import type { LogPosition } from '#dist/lib/base/log-position.js'
import { Group, stagedBytes } from '#dist/vlog/log/group.js'
import { Log } from '#dist/vlog/log/log.js'
import type { FramePlace, LogEnding } from '#dist/vlog/log/log-parts.js'
import { plainRecord, RECORD_KIND } from '#dist/vlog/record.js'
import type { Call } from '../files/fault-calls.ts'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { seededRandom } from '../random.ts'
import { bytesOf, DATABASE_ID, LOG_DIRECTORY, segmentPath } from './log-segments.ts'

/** Where the log goes on. */
export const START: LogPosition = { ordinal: 4, offset: 1000 }
const SEGMENT_BYTES = 4096

export class LogFixture {
  readonly fileSystem: FaultFileSystem = new FaultFileSystem()
  /** Edits and syncs of log files, in the order in which they were asked for or done. */
  readonly steps: string[] = []
  /** Edits that wait for `answer` while this is set. */
  hold = false
  failEdits: WiscError | undefined
  readonly held: (() => void)[] = []
  readonly failures: WiscError[] = []
  readonly troubles: WiscError[] = []
  log!: Log
  sequence = 101
  #number = 4
  readonly #durableEdits = { count: 0 }
  readonly #edits = (step: string): Promise<void> => {
    this.steps.push(step)
    if (this.failEdits) return Promise.reject(this.failEdits)
    this.#durableEdits.count++
    if (!this.hold) return Promise.resolve()
    return new Promise((resolve) => this.held.push(resolve))
  }
  readonly #group: Group = new Group()

  async open(): Promise<this> {
    this.fileSystem.makeDirectory(LOG_DIRECTORY)
    this.fileSystem.onCall = (call) => this.note(call)
    const edit = this.#edits
    const edits = this.#durableEdits
    this.log = new Log({
      fileSystem: this.fileSystem,
      directory: LOG_DIRECTORY,
      databaseId: DATABASE_ID,
      random: seededRandom(1),
      segmentBytes: SEGMENT_BYTES,
      end: START,
      nextOrdinal: 5,
      lastSequence: 100,
      edits: {
        allocateFileNumber: () => ++this.#number,
        addSegment: ({ number }) => edit(`add ${number}`),
        sealSegment: ({ number, length, lastSequence }, durable) =>
          edit(`seal ${number} ${length} ${lastSequence} durable ${durable.ordinal}`),
        dropSegment: (number) => edit(`drop ${number}`),
        discardSegment: (number) => this.steps.push(`discard ${number}`),
        get durableEdit() {
          return edits.count
        },
      },
      health: {
        end: (error) => this.failures.push(error),
        logTroubled: (error) => this.troubles.push(error),
        withBallast: (work) => work(),
      },
      readers: {
        adopt: () => {},
        release: (number) => this.steps.push(`released ${number}`),
      },
    })
    await this.log.begin()
    return this
  }

  note({ kind, path }: Call): void {
    if (kind === 'sync') this.steps.push(`sync ${Number(path.slice(-11, -5))}`)
  }

  /** Writes a frame of one put. */
  async write(length: number): Promise<FramePlace> {
    const record = plainRecord(RECORD_KIND.put, Buffer.from('key'), bytesOf(length))
    const group = this.#group
    group.begin(this.sequence, stagedBytes(record))
    group.add(record)
    let place = this.log.place(group.frameBytes)
    while (place === undefined) {
      if (this.log.failure) throw this.log.failure
      await this.log.changed.next()
      place = this.log.place(group.frameBytes)
    }
    this.sequence++
    await this.log.write(group)
    return place
  }

  /** @returns what the last edit says */
  async close(): Promise<LogEnding> {
    let said: LogEnding | undefined
    await this.log.close((ending) => {
      said = ending
      const { ordinal, offset } = ending.end
      const seals = ending.seals.map(({ number }) => number).join(' ')
      return this.#edits(
        `end ${ordinal}:${offset} seals ${seals} unused ${ending.unused.join(' ')}`,
      )
    })
    return said!
  }

  failNext(kind: Call['kind'], number: number, errno: string, partialBytes?: number): void {
    let failed = false
    this.fileSystem.faults = (call) => {
      if (failed || call.kind !== kind || call.path !== segmentPath(number)) return undefined
      failed = true
      return partialBytes === undefined ? { errno } : { errno, partialBytes }
    }
  }

  size(number: number): number {
    return this.fileSystem.visibleImage().files.get(segmentPath(number))!.length
  }
}

export function openLog(): Promise<LogFixture> {
  return new LogFixture().open()
}

/** Turns of the event loop in which the log gets done what is under way. */
export async function turns(count: number = 20): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}
