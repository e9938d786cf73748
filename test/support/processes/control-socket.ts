/** Stores with a control socket, living and dead, and a raw connection for what a polite client would not say. */
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { expect } from 'vitest'
import { findSocket } from '#dist/lib/base/platform/node-socket-place.js'
import { type Options, open, type Store } from '#dist/lib/index.js'
import { ControlClient } from '#dist/lib/inspect/owner/control-client.js'
import { eventually } from '../eventually.ts'
import { temporaryDirectory } from '../files/temporary-directory.ts'
import { startModule } from './child-process.ts'

export const SMALL: Options = { workers: 0, segmentBytes: 65536, valueThreshold: 0 }

/** A store that is open while it is used. */
export async function withStore(
  use: (store: Store, db: string) => Promise<void>,
  options: Options = {},
): Promise<void> {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, { ...SMALL, ...options })
  if (options.controlSocket !== false) await openedSocketOf(db)
  try {
    await use(store, db)
  } finally {
    await store.close()
  }
}

/** Opens a store in a process that dies. @returns its socket */
export async function dieWithStore(db: string): Promise<string> {
  const dead = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
     const { existsSync, readFileSync } = await import('node:fs')
     await open(process.argv[1], { workers: 0 })
     const socket = /^socket (.*)$/m.exec(readFileSync(process.argv[1] + '/LOCK', 'utf8'))[1]
     while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 1))
     process.kill(process.pid, 'SIGKILL')`,
    db,
  )
  await new Promise((resolve) => dead.on('close', resolve))
  return socketOf(db)
}

export async function connect(db: string): Promise<ControlClient> {
  await openedSocketOf(db)
  const client = await ControlClient.connect(db)
  if (!client) throw new Error('nobody answers')
  return client
}

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

/** The same, when it is there: it comes a turn of the event loop behind the open. */
export async function openedSocketOf(directory: string): Promise<string> {
  const socket = socketOf(directory)
  await eventually(() => expect(fs.existsSync(socket)).toBe(true))
  return socket
}

export async function connectRaw(directory: string): Promise<RawConnection> {
  const socket = net.connect({ path: await openedSocketOf(directory) })
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
