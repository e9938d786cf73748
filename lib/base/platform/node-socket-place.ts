/**
 * Where the control socket of an open store lies: not in its directory, which a plain copy must be able to copy, and
 * whose path may be too long for a socket, but in a directory for temporary files that belongs to its user alone.
 *
 *   $XDG_RUNTIME_DIR/wisc/DEVICE-INODE-PID-RANDOM.sock      or, where there is no such directory,
 *   $TMPDIR/wisc-UID/...                                    or  /tmp/wisc-UID/...
 *
 * LOCK names the path (lock.ts). The name carries the identity of the store's directory: whoever finds the text of
 * LOCK in a copy of that directory is not led to the original. Each open has a name of its own: a handle whose
 * directory was taken away cannot remove the socket of the store that came after it.
 */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemRandom } from '../random.ts'
import { parseLockHolder } from './lock.ts'
import { isAlive, processIdentity, readLockFile } from './node-lock-file.ts'
import { connectToSocket, SOCKET_PATH_BYTES_MAX } from './node-socket.ts'

const DIRECTORY_MODE = 0o700
const OTHERS = 0o077

/** The path of a socket that can be made, or why there can be none. */
export type SocketPlace = { readonly path: string } | { readonly refused: string }

/**
 * A path for the socket of one open of the store in `directory`. Makes the user's directory of sockets, if need be.
 * @param candidates directories to look at; a test passes its own
 */
export function chooseSocketPath(
  directory: string,
  candidates: readonly string[] = socketDirectories(),
): SocketPlace {
  const random = Buffer.from(systemRandom.bytes(4)).toString('hex')
  const name = `${prefixOf(directory)}${process.pid}-${random}.sock`
  const reasons: string[] = []
  for (const candidate of candidates) {
    const socket = path.join(candidate, name)
    const refused = reasonAgainst(candidate, socket)
    if (refused === undefined) return { path: socket }
    reasons.push(refused)
  }
  return { refused: reasons.join('; ') || 'there are none on this platform' }
}

/** The directories in which sockets of this user may lie. */
function socketDirectories(): string[] {
  const uid = process.getuid?.()
  if (uid === undefined) return []
  const { XDG_RUNTIME_DIR: runtime } = process.env
  const own = runtime && path.isAbsolute(runtime) ? [path.join(runtime, 'wisc')] : []
  return [...own, ...[tmpdir(), '/tmp'].map((parent) => path.join(parent, `wisc-${uid}`))]
}

function reasonAgainst(directory: string, socket: string): string | undefined {
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX || /[\r\n]/.test(socket)) {
    return `no socket can have a path like this one path=${socket}`
  }
  try {
    fs.mkdirSync(directory, { mode: DIRECTORY_MODE })
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code !== 'EEXIST') return `mkdir failed path=${directory} errno=${String(code)}`
  }
  return isPrivate(directory, [process.getuid?.()])
    ? undefined
    : `it must be a directory of this user alone (mode 0700) path=${directory}`
}

/** Whether only one of these users (and the superuser) can put anything into a directory, or reach what is there. */
function isPrivate(directory: string, users: readonly (number | undefined)[]): boolean {
  const stat = fs.lstatSync(directory, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && (stat.mode & OTHERS) === 0 && users.includes(stat.uid)
}

function prefixOf(directory: string): string {
  const { dev, ino } = fs.lstatSync(directory)
  return `${dev.toString(36)}-${ino.toString(36)}-`
}

/**
 * The socket that the LOCK file of a store names, if it can be one of the process that has this directory open: its
 * name is made of the directory's identity, and it lies where only the owner of the store could have put it.
 * @param lockPath the LOCK file in `directory`
 */
export function findSocket(directory: string, lockPath: string): string | undefined {
  let lock: ReturnType<typeof readLockFile>
  try {
    lock = readLockFile(lockPath)
  } catch {
    // Nobody has ever had the store open, or it is not for us to see.
    return undefined
  }
  const socket = parseLockHolder(lock.text)?.socket
  if (socket === undefined || !path.basename(socket).startsWith(prefixOf(directory))) {
    return undefined
  }
  return isPrivate(path.dirname(socket), [process.getuid?.(), lock.userId]) ? socket : undefined
}

/**
 * Removes sockets beside `socket` that nobody listens on: those of earlier opens of the same directory, and those
 * of processes that are gone. Never rejects: what cannot be removed stays.
 * @returns how many were removed
 */
export async function removeStaleSockets(directory: string, socket: string): Promise<number> {
  let removed = 0
  try {
    for (const one of suspects(directory, socket)) {
      // Only this proves it: a process of another container has other numbers.
      if (!(await isRefused(one))) continue
      fs.unlinkSync(one)
      removed++
    }
    return removed
  } catch {
    return removed
  }
}

function suspects(directory: string, socket: string): string[] {
  const place = path.dirname(socket)
  const prefix = prefixOf(directory)
  const names = fs.readdirSync(place).filter((name) => {
    const pid = /^[0-9a-z]+-[0-9a-z]+-(\d+)-[0-9a-f]+\.sock$/.exec(name)?.[1]
    if (pid === undefined || name === path.basename(socket)) return false
    return name.startsWith(prefix) || !isAlive(Number(pid))
  })
  return names.map((name) => path.join(place, name))
}

/**
 * Whether the one who left a text in LOCK, of whom nothing else is known, is gone: nobody listens on the socket that
 * was its own. One that is closed in order has no name any more, so this one's process has died. Only where the same
 * kernel made it: a copy of a socket, as in the image of a machine, refuses everybody.
 */
export async function isHolderGone(text: string): Promise<boolean> {
  const holder = parseLockHolder(text)
  if (holder?.socket === undefined || holder.bootId === '-') return false
  return holder.bootId === processIdentity().bootId && (await isRefused(holder.socket))
}

async function isRefused(socket: string): Promise<boolean> {
  try {
    const connection = await connectToSocket(socket)
    connection.destroy()
    return false
  } catch (error) {
    return (error as { errno?: unknown }).errno === 'ECONNREFUSED'
  }
}
