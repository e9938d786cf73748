/** Holes on the real file system: what they free, what they leave, and which files are refused. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import type { File } from '#dist/lib/base/files/file-system.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'

const BLOCKS = 32

/** A file of BLOCKS blocks and a few bytes more. @returns its path and the size of a block */
function makeFile(directory: string = temporaryDirectory()): { name: string; block: number } {
  const name = path.join(directory, 'file')
  const file = nodeFileSystem.open(name, 'create')
  const block = file.stat().blockBytes
  const bytes = Buffer.alloc(BLOCKS * block + 100, 7)
  file.write(bytes, 0, bytes.length, 0)
  file.sync()
  file.close()
  return { name, block }
}

function bytesOf(file: File): Buffer {
  const bytes = Buffer.alloc(file.stat().size)
  expect(file.read(bytes, 0, bytes.length, 0)).toBe(bytes.length)
  return bytes
}

function errorOf(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return 'no error'
}

test('a hole frees its blocks and reads as zeros; the size and all other bytes stay', () => {
  const { name, block } = makeFile()
  const reader = nodeFileSystem.open(name, 'read')
  const file = nodeFileSystem.open(name, 'punch')
  const before = file.stat()
  expect(file.punch(block, 20 * block)).toBe(true)
  file.sync()
  const after = file.stat()
  expect(after.size).toBe(before.size)
  expect(before.allocated - after.allocated).toBe(20 * block)
  expect(nodeFileSystem.statPath(name)).toEqual({ ...after, kind: 'file' })
  const expected = Buffer.alloc(BLOCKS * block + 100, 7).fill(0, block, 21 * block)
  expect(bytesOf(file).equals(expected)).toBe(true)
  expect(bytesOf(reader).equals(expected), 'another open file sees the same').toBe(true)
  // Punched twice, and overlapping: nothing more happens to what is a hole.
  expect(file.punch(20 * block, 2 * block)).toBe(true)
  file.dataSync()
  expect(before.allocated - file.stat().allocated).toBe(21 * block)
  file.close()
  reader.close()
})

test('the names of a file are counted, on the open file and by path', () => {
  const { name } = makeFile()
  const file = nodeFileSystem.open(name, 'punch')
  expect(file.stat().links).toBe(1)
  fs.linkSync(name, `${name}.backup`)
  expect(file.stat().links).toBe(2)
  expect(nodeFileSystem.statPath(name)?.links).toBe(2)
  fs.unlinkSync(name)
  expect(file.stat().links).toBe(1)
  file.close()
})

test('blocks have at least 4096 bytes', () => {
  const { name, block } = makeFile()
  expect(block).toBeGreaterThanOrEqual(4096)
  expect(block % 4096).toBe(0)
  expect(nodeFileSystem.statPath(name)?.blockBytes).toBe(block)
  expect(nodeFileSystem.statPath(path.dirname(name))?.blockBytes).toBeGreaterThanOrEqual(4096)
})

test('only a regular file that is there is opened, and none is made', () => {
  const { name } = makeFile()
  const directory = path.dirname(name)
  fs.symlinkSync(name, path.join(directory, 'link'))
  fs.symlinkSync(path.join(directory, 'nothing'), path.join(directory, 'dangling'))
  fs.mkdirSync(path.join(directory, 'directory'))
  execFileSync('mkfifo', [path.join(directory, 'fifo')])
  for (const [planted, errno] of [
    ['link', 'ELOOP'],
    ['dangling', 'ELOOP'],
    ['directory', 'EISDIR'],
    ['fifo', 'EINVAL'],
    ['nothing', 'ENOENT'],
  ] as const) {
    const error = errorOf(() => nodeFileSystem.open(path.join(directory, planted), 'punch'))
    expect(error, planted).toBeInstanceOf(IoError)
    expect(error, planted).toMatchObject({ operation: 'open', errno })
  }
  expect(fs.existsSync(path.join(directory, 'nothing'))).toBe(false)
})

test('a file that was opened to read, or is closed, is not punched', () => {
  const { name, block } = makeFile()
  const file = nodeFileSystem.open(name, 'read')
  const refused = errorOf(() => file.punch(0, block))
  expect(refused).toBeInstanceOf(IoError)
  expect(refused).toMatchObject({ operation: 'punch', path: name, errno: 'EBADF' })
  file.close()
  const closed = nodeFileSystem.open(name, 'punch')
  closed.close()
  expect(errorOf(() => closed.punch(0, block))).toMatchObject({ errno: 'EBADF' })
  expect(fs.readFileSync(name).every((byte) => byte === 7)).toBe(true)
})

test('parts of blocks are refused, nothing is written', () => {
  const { name, block } = makeFile()
  const file = nodeFileSystem.open(name, 'punch')
  for (const [offset, length] of [
    [100, block],
    [0, 100],
    [0, 0],
    [-block, block],
    [0.5, block],
  ] as const) {
    expect(() => file.punch(offset, length)).toThrow('hole')
  }
  expect(bytesOf(file).every((byte) => byte === 7)).toBe(true)
  file.close()
})
