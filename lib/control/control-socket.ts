/**
 * SOCKET: an open store answers the wisc command here (protocol.ts says how).
 *
 * It is opened last and closed first, while the lock is held; so what lies there when a store opens is stale, and is
 * removed. A store without a socket works as well: whatever is in the way is told by a 'warning'.
 */
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { toWiscError, WiscError } from '../base/errors.ts'
import { joinPath, SOCKET_NAME } from '../base/file-names.ts'
import type { FileSystem } from '../base/file-system.ts'
import {
  type ListenOnSocket,
  SOCKET_PATH_BYTES_MAX,
  type SocketListener,
} from '../base/node-socket.ts'
import { emitSafely } from '../events.ts'
import { Conversation } from './conversation.ts'
import { type ControlledEngine, type ControlledStore, RequestAnswers } from './request-answers.ts'

export interface ControlSocketParts {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly listen: ListenOnSocket
  readonly events: EventEmitter
}

export class ControlSocket {
  readonly #parts: ControlSocketParts
  readonly #conversations: Set<Conversation> = new Set()
  #listener: SocketListener | undefined

  constructor(parts: ControlSocketParts) {
    this.#parts = parts
  }

  /** Requires: the lock is held. */
  async open(store: ControlledStore, engine: ControlledEngine): Promise<void> {
    const { fileSystem, directory, listen } = this.#parts
    const path = joinPath(directory, SOCKET_NAME)
    const answers = new RequestAnswers(store, engine)
    try {
      if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
        this.#warn(`the path is too long for a control socket bytesMax=${SOCKET_PATH_BYTES_MAX}`)
        return
      }
      const kind = fileSystem.statPath(path)?.kind
      if (kind === 'file' || kind === 'directory') {
        this.#warn(`there is no control socket: a ${kind} is in its place name=${SOCKET_NAME}`)
        return
      }
      if (kind === 'other') fileSystem.unlink(path)
      this.#listener = await listen(path, (connection) => this.#converse(connection, answers))
    } catch (error) {
      this.#warn(`there is no control socket: ${toWiscError(error).message}`)
    }
  }

  #converse(connection: Duplex, answers: RequestAnswers): void {
    const conversation = new Conversation(connection, answers, () =>
      this.#conversations.delete(conversation),
    )
    this.#conversations.add(conversation)
  }

  /** Listeners come only when the open has resolved. */
  #warn(message: string): void {
    setImmediate(() => emitSafely(this.#parts.events, 'warning', message))
  }

  /** What is being answered is cancelled. */
  close(): void {
    this.#listener?.close()
    const reason = new WiscError('WISC_NOT_OPEN', 'the store is closed')
    for (const conversation of this.#conversations) conversation.end(reason)
  }
}
