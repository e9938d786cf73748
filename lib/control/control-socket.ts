/**
 * The control socket: an open store answers the wisc command here (protocol.ts says how,
 * lib/base/platform/node-socket-place.ts where).
 *
 * It is opened last, when the open of the store has resolved, and closed first; the lock is held all the while. A store
 * without a socket works as well: whatever is in the way is told by a 'warning'.
 */
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { toWiscError, WiscError } from '../base/errors.ts'
import type { ListenOnSocket, SocketListener } from '../base/platform/node-socket.ts'
import { removeStaleSockets, type SocketPlace } from '../base/platform/node-socket-place.ts'
import { emitSafely } from '../contract/events.ts'
import { Conversation } from './conversation.ts'
import { type ControlledEngine, type ControlledStore, RequestAnswers } from './request-answers.ts'

export interface ControlSocketParts {
  readonly directory: string
  readonly socket: SocketPlace
  readonly listen: ListenOnSocket
  readonly events: EventEmitter
}

export class ControlSocket {
  readonly #parts: ControlSocketParts
  readonly #conversations: Set<Conversation> = new Set()
  #listener: SocketListener | undefined
  #opening: Promise<void> | undefined
  #isClosed = false

  constructor(parts: ControlSocketParts) {
    this.#parts = parts
  }

  /** In the next turn of the event loop: nobody who opens a store has to wait for it. Requires: the lock is held. */
  open(store: ControlledStore, engine: ControlledEngine): void {
    this.#opening = new Promise((resolve) => {
      setImmediate(() => resolve(this.#open(store, engine)))
    })
  }

  async #open(store: ControlledStore, engine: ControlledEngine): Promise<void> {
    if (this.#isClosed) return
    const { directory, socket, listen } = this.#parts
    const answers = new RequestAnswers(store, engine)
    try {
      if ('refused' in socket) throw new WiscError('WISC_IO', socket.refused)
      this.#listener = await listen(socket.path, (connection) =>
        this.#converse(connection, answers),
      )
      if (this.#isClosed) this.#listener.close()
      // What others have left costs nobody any time: what is found to be stale goes when it is found.
      else void removeStaleSockets(directory, socket.path)
    } catch (error) {
      const message = `there is no control socket: ${toWiscError(error).message}`
      emitSafely(this.#parts.events, 'warning', message)
    }
  }

  #converse(connection: Duplex, answers: RequestAnswers): void {
    if (this.#isClosed) {
      connection.destroy()
      return
    }
    const conversation = new Conversation(connection, answers, () =>
      this.#conversations.delete(conversation),
    )
    this.#conversations.add(conversation)
  }

  /** What is being answered is cancelled. Resolves when there is no socket any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#listener?.close()
    const reason = new WiscError('WISC_NOT_OPEN', 'the store is closed')
    for (const conversation of this.#conversations) conversation.end(reason)
    await this.#opening
  }
}
