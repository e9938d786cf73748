/** The real file system: modes, planted names, reads and writes, descriptors, errors. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { runModule } from '../../../support/processes/child-process.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 13) & 255)

function errorOf(call: () => unknown): IoError {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(IoError)
    return error as IoError
  }
  return expect.fail('no error')
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code, errno: -1, syscall: 'test' })
}

describe('names', () => {
  test.each(['000', '022', '077'])(
    'under umask %s files get 0600, directories 0700',
    async (umask) => {
      const directory = temporaryDirectory()
      const printed = await runModule(
        `process.umask(0o${umask})
      const { nodeFileSystem } = await import(DIST + 'lib/base/platform/node-file-system.js')
      const directory = process.argv[1]
      console.log(nodeFileSystem.makeDirectory(directory + '/db'))
      nodeFileSystem.open(directory + '/db/file', 'create').close()
      const lock = nodeFileSystem.lock(directory + '/db/LOCK', 'text')
      lock.release()`,
        directory,
      )
      expect(printed).toBe('true\n')
      const mode = (name: string): number => fs.statSync(path.join(directory, name)).mode & 0o7777
      expect(mode('db')).toBe(0o700)
      expect(mode('db/file')).toBe(0o600)
      expect(mode('db/LOCK')).toBe(0o600)
    },
  )

  test('a planted link or directory is refused, untouched', () => {
    const directory = temporaryDirectory()
    const victim = path.join(directory, 'victim')
    fs.writeFileSync(victim, 'precious')
    fs.symlinkSync(victim, path.join(directory, 'link'))
    fs.symlinkSync(path.join(directory, 'nothing'), path.join(directory, 'dangling'))
    fs.mkdirSync(path.join(directory, 'directory'))
    for (const name of ['link', 'dangling', 'directory', 'victim']) {
      const file = path.join(directory, name)
      expect(errorOf(() => nodeFileSystem.open(file, 'create')).errno).toBe('EEXIST')
    }
    for (const [name, errno] of [
      ['link', 'ELOOP'],
      ['dangling', 'ELOOP'],
      ['directory', 'EINVAL'],
    ] as const) {
      const file = path.join(directory, name)
      expect(errorOf(() => nodeFileSystem.open(file, 'read')).errno).toBe(errno)
      const lockErrno = name === 'directory' ? 'EISDIR' : errno
      expect(errorOf(() => nodeFileSystem.lock(file, 'text')).errno).toBe(lockErrno)
    }
    expect(fs.readFileSync(victim, 'utf8')).toBe('precious')
    expect(fs.existsSync(path.join(directory, 'nothing'))).toBe(false)
  })

  test('a planted FIFO is refused at once, nobody waits for its other end', () => {
    const fifo = path.join(temporaryDirectory(), 'fifo')
    execFileSync('mkfifo', [fifo])
    const code = `
      const { nodeFileSystem } = await import('${import.meta.resolve('#dist/lib/base/platform/node-file-system.js')}')
      const fifo = process.argv[1]
      for (const call of [
        () => nodeFileSystem.open(fifo, 'create'),
        () => nodeFileSystem.open(fifo, 'read'),
        () => nodeFileSystem.lock(fifo, 'text'),
      ]) {
        try {
          call()
          console.log('opened')
        } catch (error) {
          console.log(error.errno)
        }
      }`
    const node = ['--input-type=module', '-e', code, '--', fifo]
    const printed = execFileSync(process.execPath, node, { encoding: 'utf8', timeout: 600_000 })
    expect(printed).toBe('EEXIST\nEINVAL\nEINVAL\n')
  })

  test('kinds are told without following links', () => {
    const directory = temporaryDirectory()
    fs.writeFileSync(path.join(directory, 'file'), 'four')
    fs.symlinkSync('file', path.join(directory, 'link'))
    const kindOf = (name: string): string | undefined =>
      nodeFileSystem.statPath(path.join(directory, name))?.kind
    expect(['file', 'link', '.', 'nothing'].map(kindOf)).toEqual([
      'file',
      'other',
      'directory',
      undefined,
    ])
    expect(nodeFileSystem.statPath(path.join(directory, 'file'))?.size).toBe(4)
    expect(nodeFileSystem.realPath(path.join(directory, 'link'))).toMatch(/\/file$/)
    expect(nodeFileSystem.list(directory).sort()).toEqual(['file', 'link'])
    expect(nodeFileSystem.makeDirectory(directory)).toBe(false)
    expect(nodeFileSystem.freeBytes(directory)).toBeGreaterThan(0)
  })

  test('rename replaces, unlink removes, directories sync', async () => {
    const directory = temporaryDirectory()
    const [source, target] = [path.join(directory, 'source'), path.join(directory, 'target')]
    fs.writeFileSync(source, 'new')
    fs.writeFileSync(target, 'old')
    nodeFileSystem.rename(source, target)
    nodeFileSystem.syncDirectory(directory)
    expect(fs.readFileSync(target, 'utf8')).toBe('new')
    nodeFileSystem.unlink(target)
    await nodeFileSystem.syncDirectoryAsync(directory)
    expect(fs.readdirSync(directory)).toEqual([])
  })

  test('a directory that is held is synced without opening it again', async () => {
    const directory = path.join(temporaryDirectory(), 'held')
    fs.mkdirSync(directory)
    const held = [nodeFileSystem.holdDirectory(directory), nodeFileSystem.holdDirectory(directory)]
    fs.renameSync(directory, `${directory}.elsewhere`)
    nodeFileSystem.syncDirectory(directory)
    held[0]!.release()
    held[0]!.release()
    await nodeFileSystem.syncDirectoryAsync(directory)
    held[1]!.release()
    // The sync could not begin: that is what tells it from one that failed.
    expect(errorOf(() => nodeFileSystem.syncDirectory(directory)).operation).toBe('open')
    expect(() => nodeFileSystem.holdDirectory(directory)).toThrow('ENOENT')
  })

  test('errors carry operation, path, errno and cause', () => {
    const file = path.join(temporaryDirectory(), 'nothing')
    const error = errorOf(() => nodeFileSystem.open(file, 'read'))
    expect(error).toMatchObject({ code: 'WISC_IO', operation: 'open', path: file, errno: 'ENOENT' })
    expect(error.cause).toMatchObject({ code: 'ENOENT', syscall: 'open' })
    expect(errorOf(() => nodeFileSystem.unlink(file)).operation).toBe('unlink')
    expect(errorOf(() => nodeFileSystem.list(file)).operation).toBe('readdir')
    expect(errorOf(() => nodeFileSystem.syncDirectory(file)).operation).toBe('open')
    expect(errorOf(() => nodeFileSystem.freeBytes(file)).operation).toBe('statfs')
  })
})

describe('reads and writes', () => {
  test('positions, offsets and lengths are kept; a read ends at the end of the file', async () => {
    const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
    const bytes = pattern(10_000)
    file.write(bytes, 100, 5000, 50)
    const target = new Uint8Array(6000)
    expect(file.read(target, 10, 4000, 50)).toBe(4000)
    expect(target.subarray(10, 4010)).toEqual(bytes.subarray(100, 4100))
    expect([target[9], target[4010]]).toEqual([0, 0])
    expect(file.read(target, 0, 6000, 50)).toBe(5000)
    expect(await file.readAsync(target, 0, 6000, 5000)).toBe(50)
    expect(file.read(target, 0, 10, 5050)).toBe(0)
    expect(file.read(target, 0, 0, 0)).toBe(0)
    file.dataSync()
    file.sync()
    await file.dataSyncAsync()
    expect(file.stat().size).toBe(5050)
    expect(file.stat().allocated).toBeGreaterThanOrEqual(5050)
    file.close()
  })

  test('thousands of sources, empty ones too, lie one behind the other', async () => {
    const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
    const sources = Array.from({ length: 3000 }, (_, i) => pattern(i % 7))
    const expected = Buffer.concat(sources)
    file.writev(sources, 3)
    await file.writevAsync(sources, 3 + expected.length)
    await file.writevAsync([], 0)
    file.writev([new Uint8Array(0)], 0)
    const target = new Uint8Array(2 * expected.length)
    expect(file.read(target, 0, target.length, 3)).toBe(target.length)
    expect(Buffer.compare(target, Buffer.concat([expected, expected]))).toBe(0)
    file.close()
  })

  test('memory that is shared between threads can be read into and written from', async () => {
    const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
    const shared = new Uint8Array(new SharedArrayBuffer(4096))
    shared.set(pattern(4096))
    file.write(shared, 0, 4096, 0)
    await file.writevAsync([shared], 4096)
    const target = new Uint8Array(new SharedArrayBuffer(8192))
    expect(await file.readAsync(target, 0, 8192, 0)).toBe(8192)
    expect(target.slice(4096)).toEqual(pattern(4096))
    file.close()
  })

  test('a short write is carried on, one without progress is an error', () => {
    const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
    const { writeSync, writevSync } = fs
    vi.spyOn(fs, 'writeSync').mockImplementation(((fd: number, bytes: Uint8Array, at: number) =>
      writeSync(fd, bytes, at, 3, 0)) as typeof fs.writeSync)
    const short = vi
      .spyOn(fs, 'writevSync')
      .mockImplementation(((fd: number, sources: Uint8Array[], position: number) =>
        writevSync(fd, [sources[0]!.subarray(0, 7)], position)) as typeof fs.writevSync)
    file.write(pattern(100), 0, 100, 0)
    const target = new Uint8Array(100)
    expect(file.read(target, 0, 100, 0)).toBe(100)
    expect(target).toEqual(pattern(100))
    short.mockReturnValue(0)
    expect(errorOf(() => file.write(pattern(100), 0, 100, 0)).errno).toBe('EIO')
    expect(errorOf(() => file.writev([pattern(9)], 0)).errno).toBe('EIO')
    file.close()
  })

  test('interrupted reads and writes are repeated, but not for ever; syncs never', () => {
    const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
    file.write(pattern(64), 0, 64, 0)
    const target = new Uint8Array(64)
    const interrupt = (): never => {
      throw systemError('EINTR')
    }
    const read = vi.spyOn(fs, 'readSync').mockImplementationOnce(interrupt)
    read.mockImplementationOnce(interrupt)
    expect(file.read(target, 0, 64, 0)).toBe(64)
    expect(target).toEqual(pattern(64))
    vi.spyOn(fs, 'writeSync').mockImplementationOnce(interrupt)
    file.write(pattern(32), 0, 32, 64)
    expect(file.stat().size).toBe(96)
    read.mockImplementation(interrupt)
    expect(errorOf(() => file.read(target, 0, 64, 0)).errno).toBe('EINTR')
    const sync = vi.spyOn(fs, 'fdatasyncSync').mockImplementationOnce(interrupt)
    expect(errorOf(() => file.dataSync()).errno).toBe('EINTR')
    expect(sync).toHaveBeenCalledTimes(1)
    file.close()
  })

  test('at the limit of file size what fits is written and the rest is an error', () => {
    const directory = temporaryDirectory()
    const code = `
      const { nodeFileSystem } = await import('${import.meta.resolve('#dist/lib/base/platform/node-file-system.js')}')
      const file = nodeFileSystem.open(process.argv[1] + '/file', 'create')
      for (const write of [
        () => file.write(new Uint8Array(6000), 0, 6000, 4096),
        () => file.writev([new Uint8Array(3000), new Uint8Array(3000)], 4096),
        () => file.writevAsync([new Uint8Array(3000), new Uint8Array(3000)], 4096),
      ]) {
        try {
          await write()
          console.log('written')
        } catch (error) {
          console.log(error.code, error.errno, file.stat().size)
        }
      }`
    const script = 'ulimit -f 8; exec "$0" --input-type=module -e "$1" -- "$2"'
    const shell = ['-c', script, process.execPath, code, directory]
    const printed = execFileSync('bash', shell, { encoding: 'utf8' })
    expect(printed).toBe('WISC_IO EFBIG 8192\n'.repeat(3))
  })

  // Mounting needs root; the test above covers short writes everywhere.
  test.skipIf(process.getuid?.() !== 0)('a full disk is WISC_DISK_FULL', () => {
    const directory = temporaryDirectory()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory])
    try {
      expect(nodeFileSystem.freeBytes(directory)).toBe(64 * 1024)
      const file = nodeFileSystem.open(path.join(directory, 'file'), 'create')
      const error = errorOf(() => file.write(pattern(100_000), 0, 100_000, 0))
      expect(error).toMatchObject({ code: 'WISC_DISK_FULL', operation: 'write', errno: 'ENOSPC' })
      file.close()
    } finally {
      execFileSync('umount', [directory])
    }
  })
})

describe('closing', () => {
  test('a closed file fails, also when its descriptor belongs to another file by now', async () => {
    const directory = temporaryDirectory()
    const file = nodeFileSystem.open(path.join(directory, 'file'), 'create')
    file.close()
    file.close()
    const other = nodeFileSystem.open(path.join(directory, 'other'), 'create')
    const bytes = new Uint8Array(8)
    for (const call of [
      () => file.read(bytes, 0, 8, 0),
      () => file.write(bytes, 0, 8, 0),
      () => file.writev([bytes], 0),
      () => file.dataSync(),
      () => file.sync(),
      () => file.stat(),
    ]) {
      expect(errorOf(call).errno).toBe('EBADF')
    }
    await expect(file.readAsync(bytes, 0, 8, 0)).rejects.toMatchObject({ errno: 'EBADF' })
    await expect(file.writevAsync([bytes], 0)).rejects.toMatchObject({ errno: 'EBADF' })
    await expect(file.dataSyncAsync()).rejects.toMatchObject({ errno: 'EBADF' })
    expect(other.stat().size).toBe(0)
    other.close()
  })

  test('calls in flight end before the descriptor is closed', async () => {
    const file = nodeFileSystem.open(path.join(temporaryDirectory(), 'file'), 'create')
    file.write(pattern(4096), 0, 4096, 0)
    const close = vi.spyOn(fs, 'closeSync')
    const target = new Uint8Array(4096)
    const calls = [
      file.readAsync(target, 0, 4096, 0),
      file.writevAsync([pattern(10)], 4096),
      file.dataSyncAsync(),
    ]
    file.close()
    expect(close).not.toHaveBeenCalled()
    expect(errorOf(() => file.stat()).errno).toBe('EBADF')
    await Promise.all(calls)
    expect(close).toHaveBeenCalledTimes(1)
    expect(target).toEqual(pattern(4096))
  })
})
