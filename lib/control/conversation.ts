/**
 * One connection of the control socket: takes requests, one after the other, and writes their answers.
 *
 * Nothing that comes from outside can make it use much memory or time: lines are bounded, answers wait for their
 * reader, progress is left out while the reader is behind, and who says nothing for a minute is sent away.
 */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { invalidArgument, toWiscError, WiscError } from '../base/errors.ts'
import {
  type ControlAnswer,
  type ControlError,
  type ControlRequest,
  LineBuffer,
  PROTOCOL_VERSION,
  REQUEST_BYTES_MAX,
} from './protocol.ts'
import type { Held, RequestAnswers } from './request-answers.ts'

const IDLE_MS = 60_000
/** With more of it unread, no progress is written. */
const UNREAD_BYTES_MAX: number = 64 * 1024

export class Conversation {
  readonly #connection: Duplex
  readonly #answers: RequestAnswers
  readonly #lines: LineBuffer = new LineBuffer(REQUEST_BYTES_MAX)
  /** Fires when the other one is gone, or the store closes. */
  readonly #gone: AbortController = new AbortController()
  readonly #held: Held = { sequence: undefined }
  #isBusy = false
  #idleTimer: NodeJS.Timeout | undefined

  constructor(connection: Duplex, answers: RequestAnswers, ended: () => void) {
    this.#connection = connection
    this.#answers = answers
    connection.on('data', (chunk: Buffer) => this.#take(chunk))
    // The other one has gone: an error says so too, and 'close' follows each.
    connection.on('error', () => undefined)
    connection.on('end', () => this.#gone.abort())
    connection.on('close', () => {
      clearTimeout(this.#idleTimer)
      this.#gone.abort()
      ended()
    })
    this.#wait()
  }

  /** Ends it with a last word that belongs to no request. */
  end(reason: WiscError): void {
    this.#gone.abort()
    if (this.#connection.writable) this.#connection.end(toLine({ id: 0, error: plain(reason) }))
    setImmediate(() => this.#connection.destroy())
  }

  #take(chunk: Buffer): void {
    if (!this.#lines.add(chunk)) {
      this.end(invalidArgument(`request is too long bytesMax=${REQUEST_BYTES_MAX}`))
      return
    }
    // What it does itself ends in an answer; `answerAll` throws nothing.
    if (!this.#isBusy) void this.#answerAll()
  }

  async #answerAll(): Promise<void> {
    this.#isBusy = true
    clearTimeout(this.#idleTimer)
    for (let line = this.#lines.take(); line !== undefined; line = this.#lines.take()) {
      await this.#write(await this.#answer(line))
      if (this.#gone.signal.aborted) break
    }
    this.#isBusy = false
    if (!this.#gone.signal.aborted) this.#wait()
  }

  #wait(): void {
    this.#idleTimer = setTimeout(() => this.#connection.destroy(), IDLE_MS).unref()
  }

  async #answer(line: string): Promise<ControlAnswer> {
    let id = 0
    try {
      const request = parseRequest(line)
      id = request.id
      const result = await this.#answers.answer(
        request,
        this.#held,
        this.#gone.signal,
        (progress) => {
          if (this.#connection.writableLength > UNREAD_BYTES_MAX) return
          if (this.#connection.writable) this.#connection.write(toLine({ id, progress }))
        },
      )
      return { id, result }
    } catch (error) {
      return { id, error: plain(toWiscError(error)) }
    }
  }

  /** Waits until the other one has read. */
  async #write(answer: ControlAnswer): Promise<void> {
    if (!this.#connection.writable || this.#connection.write(toLine(answer))) return
    try {
      await once(this.#connection, 'drain', { signal: this.#gone.signal })
    } catch {
      // The other one is gone, with whatever it has not read.
      this.#connection.destroy()
    }
  }
}

function parseRequest(line: string): ControlRequest {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new WiscError('WISC_INVALID_ARGUMENT', 'request is not a line of JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument('request is not an object')
  }
  const { version, id = 0, request, options = {} } = value as Partial<ControlRequest>
  if (version !== PROTOCOL_VERSION) {
    throw invalidArgument(`request is of an unknown version known=${PROTOCOL_VERSION}`)
  }
  if (!Number.isSafeInteger(id)) throw invalidArgument('id must be an integer')
  if (typeof request !== 'string') throw invalidArgument('request must name what is asked for')
  return { version, id, request, options }
}

function plain({ code, message }: WiscError): ControlError {
  return { code, message }
}

/** Errors in reports are told by code and message. */
function toLine(answer: ControlAnswer): string {
  const text = JSON.stringify(answer, (_name, value: unknown) =>
    value instanceof Error ? plain(toWiscError(value)) : value,
  )
  return `${text}\n`
}
