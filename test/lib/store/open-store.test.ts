/** Opening: what a directory may hold, what an interrupted creation leaves, the lock, orphans, recovery's report. */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { open } from '#dist/lib/index.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { codeOf, openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'

/** Everything in a directory, to compare. */
function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const full = path.join(directory, name)
    found[name] = fs.statSync(full).isFile() ? fs.readFileSync(full, 'hex') : 'directory'
  }
  return found
}

describe('the directory', () => {
  test('that is missing, or empty, becomes a store; parents are made, for the owner alone', async () => {
    const directory = path.join(temporaryDirectory(), 'a/b/c')
    await (await open(directory, SMALL_OPTIONS)).close()
    for (const made of ['', 'CURRENT']) {
      expect(fs.statSync(path.join(directory, made)).mode & 0o077).toBe(0)
    }
    const empty = temporaryDirectory()
    await (await open(empty, SMALL_OPTIONS)).close()
    expect(fs.existsSync(path.join(empty, 'CURRENT'))).toBe(true)
  })

  test.each(['notes.txt', '000005.vlog', '000005.sst', 'BALLAST', 'lost'])(
    'that holds %s and no CURRENT is refused and stays as it was',
    async (name) => {
      const directory = temporaryDirectory()
      fs.writeFileSync(path.join(directory, name), 'something')
      const before = contents(directory)
      for (const options of [{}, { readOnly: true }, { createIfMissing: false }]) {
        expect(await codeOf(() => open(directory, options))).toBe('WISC_NO_STORE')
      }
      expect(contents(directory)).toEqual(before)
    },
  )

  test('in which another process creates a store meanwhile is that store', async () => {
    /** CURRENT comes between the first question for it and the list of names. */
    class Meanwhile extends FaultFileSystem {
      isCreated = true
      override statPath(name: string): ReturnType<FileSystem['statPath']> {
        const isEarly = !this.isCreated && name.endsWith('/CURRENT')
        if (isEarly) this.isCreated = true
        return isEarly ? undefined : super.statPath(name)
      }
    }
    const fileSystem = new Meanwhile()
    const first = await openSmallStore({}, fileSystem)
    await first.put('a', '1')
    fileSystem.isCreated = false
    expect(await codeOf(() => openSmallStore({}, fileSystem))).toBe('WISC_LOCKED')
    await first.close()
    fileSystem.isCreated = false
    expect(String((await openSmallStore({}, fileSystem)).getSync('a'))).toBe('1')
  })

  test('that is a file is refused', async () => {
    const file = path.join(temporaryDirectory(), 'file')
    fs.writeFileSync(file, 'x')
    expect(await codeOf(() => open(file))).toBe('WISC_NO_STORE')
    expect(fs.readFileSync(file, 'utf8')).toBe('x')
  })

  test('createIfMissing: false and readOnly create nothing', async () => {
    const directory = path.join(temporaryDirectory(), 'db')
    expect(await codeOf(() => open(directory, { createIfMissing: false }))).toBe('WISC_NO_STORE')
    expect(await codeOf(() => open(directory, { readOnly: true }))).toBe('WISC_NO_STORE')
    expect(fs.existsSync(directory)).toBe(false)
  })

  test('errorIfExists refuses a store, before it takes the lock', async () => {
    const store = await openSmallStore()
    await store.close()
    const directory = temporaryDirectory()
    await (await open(directory, SMALL_OPTIONS)).close()
    const before = contents(directory)
    expect(await codeOf(() => open(directory, { errorIfExists: true }))).toBe('WISC_EXISTS')
    expect(contents(directory)).toEqual(before)
    await (
      await open(path.join(directory, 'inner'), { errorIfExists: true, ...SMALL_OPTIONS })
    ).close()
  })

  test('is judged once more under the lock: another process may have made a store meanwhile', async () => {
    const directory = temporaryDirectory()
    await (await open(directory, SMALL_OPTIONS)).close()
    const empty = temporaryDirectory()
    let looks = 0
    const racing = new Proxy<FileSystem>(nodeFileSystem, {
      get(target, name: keyof FileSystem) {
        const member = target[name]
        if (name !== 'statPath') return typeof member === 'function' ? member.bind(target) : member
        return (asked: string) => {
          if (asked === empty && ++looks === 2) fs.cpSync(directory, empty, { recursive: true })
          return target.statPath(asked)
        }
      },
    })
    const options = { ...SMALL_OPTIONS, errorIfExists: true }
    expect(await codeOf(() => openStore(empty, options, { fileSystem: racing }))).toBe(
      'WISC_EXISTS',
    )
    expect(looks).toBe(2)
  })

  test('may be reached through a link', async () => {
    const directory = temporaryDirectory()
    const real = path.join(directory, 'real')
    const store = await open(real, SMALL_OPTIONS)
    fs.symlinkSync(real, path.join(directory, 'link'))
    expect(await codeOf(() => open(path.join(directory, 'link'), SMALL_OPTIONS))).toBe(
      'WISC_LOCKED',
    )
    await store.put('a', '1')
    await store.close()
    const linked = await open(path.join(directory, 'link'), SMALL_OPTIONS)
    expect(String(await linked.get('a'))).toBe('1')
    await linked.close()
  })
})

test('I2: a creation that is cut off anywhere is completed by the next open', async () => {
  const whole = new FaultFileSystem()
  await (await openStore(DIRECTORY, SMALL_OPTIONS, { fileSystem: whole })).close()
  let interrupted = 0
  for (let last = 1; last < whole.calls; last++) {
    const fileSystem = new FaultFileSystem()
    fileSystem.faults = ({ index }) => (index >= last ? { errno: 'EIO' } : undefined)
    const code = await codeOf(async () => {
      const store = await openStore(DIRECTORY, SMALL_OPTIONS, { fileSystem })
      await store.close()
    })
    if (code !== 'no error') interrupted++
    expect(fileSystem.openFiles, `call ${last}`).toBe(0)
    const next = fileSystem.kill()
    const store = await openStore(DIRECTORY, SMALL_OPTIONS, { fileSystem: next })
    await store.put('a', '1')
    await store.close()
  }
  expect(interrupted).toBeGreaterThan(10)
})

test('orphans of a crash are removed last, foreign files stay', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  for (let i = 0; i < 50; i++) await store.put(`k${i}`, Buffer.alloc(500))
  await store.close()
  for (const name of [
    '000003.sst',
    '000004.vlog',
    'MANIFEST-000001',
    'notes',
    '7.sst',
    '0000004.vlog',
  ]) {
    if (fileSystem.statPath(`${DIRECTORY}/${name}`)) continue
    fileSystem.open(`${DIRECTORY}/${name}`, 'create').close()
  }
  await openSmallStore({}, fileSystem)
  const names = fileSystem.list(DIRECTORY)
  for (const name of ['notes', '7.sst', '0000004.vlog']) expect(names).toContain(name)
  for (const name of ['000003.sst', '000004.vlog', 'MANIFEST-000001'])
    expect(names).not.toContain(name)
  expect(fileSystem.violations).toEqual([])
})

test('numbers of files are never used again, those in lost/ included', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('a', '1')
  await store.close()
  fileSystem.makeDirectory(`${DIRECTORY}/lost`)
  fileSystem.open(`${DIRECTORY}/lost/000900.vlog@0`, 'create').close()
  const again = await openSmallStore({}, fileSystem)
  await again.put('b', '1')
  const numbers = fileSystem
    .list(DIRECTORY)
    .map((name) => Number(/^(\d+)\.vlog$/.exec(name)?.[1] ?? 0))
  expect(Math.max(...numbers)).toBeGreaterThan(900)
  for (const number of numbers) expect(number === 0 || number < 20 || number > 900).toBe(true)
})

describe('recovery', () => {
  test('of a store that was closed replays nothing', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    for (let i = 0; i < 100; i++) await store.put(`k${i}`, Buffer.alloc(300))
    await store.close()
    const again = await openSmallStore({}, fileSystem)
    expect(again.stats().recovery).toMatchObject({
      clean: true,
      replayedRecords: 0,
      tornBytes: 0,
      tailBytesCopied: 0,
    })
    expect(again.stats().lastSequence).toBe(100)
  })

  test('of one that was killed brings back what was written, and jumps far in sequences', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    for (let i = 0; i < 100; i++) await store.put(`k${i}`, Buffer.alloc(300, i), { sync: i < 50 })
    await store.delete('k3')
    const next = fileSystem.kill()
    const again = await openSmallStore({}, next)
    const { recovery, lastSequence } = again.stats()
    expect(recovery).toMatchObject({ clean: false, replayedRecords: 101, tornBytes: 0 })
    expect(recovery.tailBytesCopied).toBeGreaterThan(50 * 300)
    expect(lastSequence).toBe(101)
    expect(again.getSync('k3')).toBeUndefined()
    expect(again.getSync('k99')).toEqual(Buffer.alloc(300, 99))
    await again.put('new', '1')
    expect(again.stats().lastSequence).toBeGreaterThan(2 ** 32)
    expect(next.violations).toEqual([])
  })

  test('sets a torn tail aside', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    await store.put('a', '1', { sync: true })
    await store.put('b', Buffer.alloc(500))
    const image = fileSystem.visibleImage()
    const [name, bytes] = [...image.files].find(
      ([one, found]) => one.endsWith('.vlog') && found.length > 0,
    )!
    const files = new Map(image.files).set(name, bytes.slice(0, -100))
    const next = new FaultFileSystem({}, { directories: image.directories, files })
    const again = await openSmallStore({}, next)
    expect(again.stats().recovery.tornBytes).toBeGreaterThan(400)
    expect(next.list(`${DIRECTORY}/lost`)).toHaveLength(1)
    expect(String(again.getSync('a'))).toBe('1')
    expect(again.getSync('b')).toBeUndefined()
  })
})
