/**
 * Asks the process that has a store open, through its control socket (lib/control/protocol.ts). For the wisc command:
 * `top`, `gc` on a store in use, and what snapshots of a running store pin.
 */
import type { Duplex } from 'node:stream'
import { IoError, WiscError, type WiscErrorCode } from '../../base/errors.ts'
import { joinPath, LOCK_NAME } from '../../base/files/file-names.ts'
import { nodeFileSystem } from '../../base/platform/node-file-system.ts'
import { connectToSocket } from '../../base/platform/node-socket.ts'
import { findSocket } from '../../base/platform/node-socket-place.ts'
import type { CollectionProgress } from '../../contract/collection.ts'
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlRequestName,
  type ControlResults,
  LineBuffer,
  PROTOCOL_VERSION,
  REQUEST_BYTES_MAX,
} from '../../control/protocol.ts'

export type { OwnerFacts, ReadersAt } from '../../control/protocol.ts'

/** No store has so many files that an answer comes near to it. */
const ANSWER_BYTES_MAX: number = 256 * 1024 * 1024
/** Nobody listens there: no socket, one that is left over, one of somebody else, or a path too long for any. */
const NOBODY = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'ENOTSOCK', 'EACCES', 'ENAMETOOLONG']

/** It is there and does not answer: it was stopped, or hangs, or has no time. */
export class SilentOwnerError extends WiscError {
  constructor() {
    super('WISC_IO', 'the process that has the store open does not answer')
  }
}

interface AskOptions {
  readonly options?: object
  /** How long to wait for the answer. @see SilentOwnerError */
  readonly patienceMs?: number
  /** Closes the connection, which cancels what was asked for. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CollectionProgress) => void
}

interface Waiting {
  readonly id: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: WiscError) => void
  readonly onProgress: ((progress: CollectionProgress) => void) | undefined
}

/** A connection to the owner of a store; one request at a time. */
export class ControlClient {
  readonly #connection: Duplex
  readonly #lines: LineBuffer = new LineBuffer(ANSWER_BYTES_MAX)
  #waiting: Waiting | undefined
  #lastId = 0
  #ended: WiscError | undefined

  private constructor(connection: Duplex) {
    this.#connection = connection
    connection.on('data', (chunk: Buffer) => this.#take(chunk))
    connection.on('error', (cause: Error) => this.#end(ownerGone(cause)))
    connection.on('close', () => this.#end(ownerGone()))
  }

  /** @returns undefined if no process answers for the store at this path. @throws IoError */
  static async connect(path: string): Promise<ControlClient | undefined> {
    try {
      const directory = nodeFileSystem.realPath(path)
      const socket = findSocket(directory, joinPath(directory, LOCK_NAME))
      return socket === undefined ? undefined : new ControlClient(await connectToSocket(socket))
    } catch (error) {
      if (error instanceof IoError && NOBODY.includes(error.errno)) return undefined
      throw error
    }
  }

  /**
   * @throws what the owner says; WISC_NOT_OPEN if it closes the store or dies meanwhile, WISC_ABORTED,
   *   WISC_INVALID_ARGUMENT for a request that is too long, SilentOwnerError if it does not answer in time
   */
  ask<Name extends ControlRequestName>(
    request: Name,
    { options = {}, patienceMs, signal, onProgress }: AskOptions = {},
  ): Promise<ControlResults[Name]> {
    const id = ++this.#lastId
    const asked: ControlRequest = { version: PROTOCOL_VERSION, id, request, options }
    const line = `${JSON.stringify(asked)}\n`
    return new Promise((resolve, reject) => {
      if (this.#ended) throw this.#ended
      if (Buffer.byteLength(line) > REQUEST_BYTES_MAX) {
        const message = `request is too long for the control socket bytesMax=${REQUEST_BYTES_MAX}`
        throw new WiscError('WISC_INVALID_ARGUMENT', message)
      }
      const onAbort = (): void => {
        this.#end(new WiscError('WISC_ABORTED', 'the request was cancelled'))
      }
      if (signal?.aborted) onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      const timer = patienceMs === undefined ? undefined : this.#expectSoon(patienceMs)
      const settled = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      this.#waiting = {
        id,
        onProgress,
        resolve: (result) => {
          settled()
          resolve(result as ControlResults[Name])
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      }
      if (this.#ended) this.#waiting.reject(this.#ended)
      else this.#connection.write(line)
    })
  }

  close(): void {
    this.#end(new WiscError('WISC_NOT_OPEN', 'the connection is closed'))
  }

  /** What has come by then, while this process had no time itself, is heard first. */
  #expectSoon(patienceMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const { id } = this.#waiting ?? { id: 0 }
      setImmediate(() => {
        if (this.#waiting?.id === id) this.#end(new SilentOwnerError())
      })
    }, patienceMs)
  }

  #take(chunk: Buffer): void {
    if (!this.#lines.add(chunk)) {
      this.#end(new WiscError('WISC_INTERNAL', 'the owner of the store answers without end'))
      return
    }
    for (let line = this.#lines.take(); line !== undefined; line = this.#lines.take()) {
      this.#hear(line)
    }
  }

  #hear(line: string): void {
    let answer: ControlAnswer
    try {
      answer = JSON.parse(line) as ControlAnswer
    } catch (cause) {
      this.#end(new WiscError('WISC_INTERNAL', 'what answers is no store', { cause }))
      return
    }
    const { id, error, progress } = answer
    // A last word, which belongs to no request.
    if (error && id === 0) this.#end(toError(error))
    const waiting = this.#waiting
    if (!waiting || waiting.id !== id) return
    if (progress !== undefined) {
      waiting.onProgress?.(progress as CollectionProgress)
      return
    }
    this.#waiting = undefined
    if (error) waiting.reject(toError(error))
    else waiting.resolve(answer.result)
  }

  #end(error: WiscError): void {
    this.#ended ??= error
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
    this.#connection.destroy()
  }
}

function ownerGone(cause?: Error): WiscError {
  const message = 'the process that has the store open has closed the connection'
  return new WiscError('WISC_NOT_OPEN', message, { cause })
}

function toError({
  code,
  message,
}: {
  readonly code: string
  readonly message: string
}): WiscError {
  return new WiscError(code as WiscErrorCode, message)
}
