/** A raw connection to the control socket of a store, for what a polite client would not say. */
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { findSocket } from '#dist/lib/base/platform/node-socket-place.js'

export interface RawConnection {
  readonly socket: net.Socket
  send(text: string): void
  /** The next line of an answer. */
  answer(): Promise<Record<string, unknown>>
  /** Resolves when the other side has closed; gives what came last and was not taken. */
  closed(): Promise<string>
}

/** Where the process that has a store open answers. */
export function socketOf(directory: string): string {
  const socket = findSocket(directory, path.join(directory, 'LOCK'))
  if (socket === undefined) throw new Error('LOCK names no socket')
  return socket
}

export async function connectRaw(directory: string): Promise<RawConnection> {
  const socket = net.connect({ path: socketOf(directory) })
  let text = ''
  const closed = once(socket, 'close')
  socket.on('data', (data: Buffer) => {
    text += data.toString()
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return {
    socket,
    send: (line) => socket.write(line),
    answer: async () => {
      while (!text.includes('\n')) {
        if (socket.destroyed) throw new Error('the connection is closed')
        await Promise.race([once(socket, 'data'), closed])
      }
      const end = text.indexOf('\n')
      const line = text.slice(0, end)
      text = text.slice(end + 1)
      return JSON.parse(line) as Record<string, unknown>
    },
    closed: async () => {
      await closed
      return text
    },
  }
}

export function request(name: string, options: object = {}, id = 1): string {
  return `${JSON.stringify({ version: 1, id, request: name, options })}\n`
}
