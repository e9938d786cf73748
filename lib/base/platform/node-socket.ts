/** Unix sockets. The only file of the store that loads node:net; it gives mode 0600 to what it makes. */
import fs from 'node:fs'
import type { Duplex } from 'node:stream'
import { IoError } from '../errors.ts'
import { FILE_MODE, ioError } from './node-file.ts'

/** Loaded when it is first needed: no open waits for it. */
const net = (): typeof import('node:net') => process.getBuiltinModule('node:net')

/** Longer paths fit into no socket address: 104 bytes on some platforms, 108 on others, a zero behind. */
export const SOCKET_PATH_BYTES_MAX = 103
/** More at the same time are turned away. */
const CONNECTIONS_MAX = 16

export interface SocketListener {
  /** Takes no more connections and removes the socket. Those that are open stay. */
  close(): void
}

/** How {@link listenOnSocket} is asked; a test may put something in its place. */
export type ListenOnSocket = (
  path: string,
  onConnection: (connection: Duplex) => void,
) => Promise<SocketListener>

/**
 * Makes a socket and listens. Neither it nor a connection keeps the process alive.
 * @throws IoError, EADDRINUSE if the name exists, ENAMETOOLONG
 */
export async function listenOnSocket(
  path: string,
  onConnection: (connection: Duplex) => void,
): Promise<SocketListener> {
  checkLength('listen', path)
  const server = net().createServer((socket) => {
    socket.unref()
    onConnection(socket)
  })
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
    // In a worker of a cluster, too, the socket is made here and now, and has its mode before anybody is let in.
    server.listen({ path, exclusive: true })
    if (server.listening) fs.chmodSync(path, FILE_MODE)
  }).catch((error: unknown) => {
    server.close()
    throw ioError('listen', path, error)
  })
  // What fails later, such as taking a connection when there are too many files, leaves everything as it is.
  server.on('error', () => undefined)
  server.unref()
  return { close: () => server.close() }
}

/** @throws IoError, ENOENT or ECONNREFUSED if nobody listens */
export async function connectToSocket(path: string): Promise<Duplex> {
  checkLength('connect', path)
  const socket = net().connect({ path })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
  } catch (error) {
    throw ioError('connect', path, error)
  }
  return socket
}

function checkLength(operation: string, path: string): void {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new IoError(operation, path, 'ENAMETOOLONG')
  }
}
