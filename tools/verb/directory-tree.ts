/**
 * The regular files below a directory. Links are not followed, devices and sockets are left out.
 *
 * Names are bytes: a name need not be UTF-8, and the store's keys are bytes as well.
 */
import fs from 'node:fs'
import path from 'node:path'
import { toJson } from '../terminal/escape.ts'

/** Larger files do not fit into one value. */
export const FILE_BYTES_MAX: number = 2 ** 31 - 4096

const SEPARATOR = Buffer.from(path.sep)
const SLASH = Buffer.from('/')

export interface TreeFile {
  readonly path: Buffer
  /** The path below the directory, with slashes. */
  readonly key: Buffer
  /** Bytes, when the directory was listed. */
  readonly size: number
}

export interface Tree {
  readonly files: readonly TreeFile[]
  /** What was left out and why, ready to be shown. */
  readonly skipped: readonly string[]
}

/** @throws a system error if the directory cannot be read; what lies below it is skipped with a note */
export function listTree(directory: string): Tree {
  const files: TreeFile[] = []
  const skipped: string[] = []
  const pending: { path: Buffer; key: Buffer }[] = [
    { path: Buffer.from(directory), key: Buffer.alloc(0) },
  ]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const isRoot = at.key.length === 0
    for (const entry of readDirectory(at.path, isRoot ? undefined : skipped)) {
      const below = Buffer.concat([at.path, SEPARATOR, entry.name])
      const key = isRoot ? entry.name : Buffer.concat([at.key, SLASH, entry.name])
      if (entry.isDirectory()) pending.push({ path: below, key })
      else if (!entry.isFile()) skipped.push(`${quote(key)}: not a regular file`)
      else {
        const size = fs.lstatSync(below, { throwIfNoEntry: false })?.size ?? 0
        if (size > FILE_BYTES_MAX) skipped.push(`${quote(key)}: larger than 2 GiB`)
        else files.push({ path: below, key, size })
      }
    }
  }
  return { files, skipped }
}

function readDirectory(directory: Buffer, skipped: string[] | undefined): fs.Dirent<Buffer>[] {
  try {
    return fs.readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    if (!skipped) throw error
    skipped.push(`${quote(directory)}: ${(error as Error).message}`)
    return []
  }
}

/** A name for people: what could move the cursor of a terminal is escaped. */
export function quote(name: Buffer): string {
  return toJson(name.toString())
}
