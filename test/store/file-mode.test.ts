/** Modes of what a store makes: of every file, also by its workers, and of directories. */
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { codeOf } from '../support/store/fault-store.ts'

const SMALL: Options = { segmentBytes: 65_536, memtableBytes: 65_536, valueThreshold: 100 }

function modesOf(directory: string): Map<string, string> {
  const modes = new Map<string, string>()
  const note = (name: string, full: string): void => {
    const stat = fs.lstatSync(full)
    if (!stat.isSocket()) modes.set(name, (stat.mode & 0o777).toString(8))
  }
  note('.', directory)
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    note(name, path.join(directory, name))
  }
  return modes
}

/** Uses every kind of file; leaves the store closed, with bytes in lost/. */
async function useAll(directory: string, options: Options): Promise<Set<string>> {
  const kinds = new Set<string>()
  const store = await open(directory, { ...SMALL, ...options })
  for (let round = 0; round < 3; round++) {
    for (let i = round; i < 300; i += round + 1) {
      await store.put(`key ${i}`, Buffer.alloc(1000, round))
    }
    // Too much for the calling thread.
    await store.put('much', Buffer.alloc(2_000_000, round))
    await store.flush()
  }
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
  for (const { kind } of store.segments()) kinds.add(kind)
  for (const name of modesOf(directory).keys()) kinds.add(name.replace(/[0-9]+/, 'N'))
  // A copy as a crash leaves it, with a torn end.
  const crashed = `${directory}-crashed`
  await store.put('tail', Buffer.alloc(500))
  fs.cpSync(directory, crashed, {
    recursive: true,
    filter: (name) => !fs.lstatSync(name).isSocket(),
  })
  const { segment } = (await store.stat('tail'))!
  const { file } = store.segments().find(({ id }) => id === segment)!
  await store.close()
  const torn = path.join(crashed, file)
  fs.truncateSync(torn, fs.statSync(torn).size - 9)
  return kinds
}

describe.skipIf(process.platform === 'win32')('fileMode', () => {
  let umask = 0
  beforeEach(() => {
    umask = process.umask(0)
  })
  afterEach(() => {
    process.umask(umask)
  })

  test.each([
    [undefined, '600', '700', 0],
    [0o600, '600', '700', 1],
    [0o640, '640', '750', 1],
    [0o664, '664', '775', 0],
  ] as const)(
    '%s: files %s, directories %s, workers: %i',
    async (fileMode, file, folder, workers) => {
      const parent = temporaryDirectory()
      const directory = path.join(parent, 'a', 'b')
      const options = { workers, ...(fileMode && { fileMode }) }
      const kinds = await useAll(directory, options)
      for (const kind of ['relocation', 'CURRENT', 'LOCK', 'BALLAST']) expect(kinds).toContain(kind)
      const crashed = `${directory}-crashed`
      fs.chmodSync(crashed, Number.parseInt(folder, 8))
      // What lies there decides, if nothing else is said.
      const again = await open(crashed, { ...SMALL, workers })
      await again.put('more', Buffer.alloc(1000))
      await again.close()
      expect([...modesOf(crashed).keys()].some((name) => name.startsWith('lost/'))).toBe(true)
      for (const root of [directory, crashed]) {
        for (const [name, mode] of modesOf(root)) {
          const isFolder = name === '.' || name === 'lost'
          expect(`${name} ${mode}`).toBe(`${name} ${isFolder ? folder : file}`)
        }
      }
      expect((fs.statSync(path.join(parent, 'a')).mode & 0o777).toString(8)).toBe(folder)
    },
  )

  test('the umask of the process applies', async () => {
    process.umask(0o027)
    const directory = path.join(temporaryDirectory(), 'store')
    const store = await open(directory, { ...SMALL, fileMode: 0o666 })
    await store.close()
    const modes = modesOf(directory)
    expect(modes.get('.')).toBe('750')
    expect(modes.get('CURRENT')).toBe('640')
  })

  test('what would lock its owner out, or is no number of that kind, is refused', async () => {
    const directory = path.join(temporaryDirectory(), 'store')
    for (const fileMode of [0, 0o400, 0o060, 0o700, 0o1600, 600, 0o600 + 0.5, '0600', null, -1]) {
      const options = { fileMode } as unknown as Options
      expect(await codeOf(() => open(directory, options)), String(fileMode)).toBe(
        'WISC_INVALID_ARGUMENT',
      )
    }
    // As one writes it without the 0o.
    await expect(open(directory, { fileMode: 640 })).rejects.toThrow(
      'fileMode must be a number such as 0o640: the owner reads and writes, nobody executes; not 640 (0o1200)',
    )
    expect(fs.existsSync(directory)).toBe(false)
  })
})
