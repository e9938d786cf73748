/**
 * A store that is open already, or whose files are missing, foreign or of a newer format: refused with its code,
 * nothing written before, nothing lost after.
 */
import fs from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { writeU16, writeU32 } from '#dist/lib/base/bytes.js'
import { crc32From } from '#dist/lib/base/checksum.js'
import { type CorruptionError, open, type Store, WiscError } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { runModule } from '../support/processes/child-process.ts'
import { codeOf, SMALL_OPTIONS } from '../support/store/fault-store.ts'
import { bytesIn, changesBesideAppends, contents } from '../support/store/store-contents.ts'

test('a path that leads through a file leads to no store', async () => {
  const file = path.join(temporaryDirectory(), 'film.mp4')
  fs.writeFileSync(file, 'film')
  for (const options of [SMALL_OPTIONS, { readOnly: true }]) {
    const opened = open(path.join(file, 'x'), options)
    await expect(opened).rejects.toMatchObject({
      code: 'WISC_NO_STORE',
      message: `path leads through a file path=${path.join(file, 'x')}`,
    })
  }
})

describe('a second open', () => {
  const CODE = `const { open } = await import(DIST + 'lib/index.js')
    const refused = (error) => error.constructor.name + ' ' + error.code
    console.log(await open(process.argv[1]).then(() => 'opened', refused))`

  test.each(['this process', 'another process', 'a worker thread'])(
    'in %s is refused',
    async (where) => {
      const directory = temporaryDirectory()
      const store = await open(directory, SMALL_OPTIONS)
      await store.put('kept', 'value')
      const before = bytesIn(directory)
      if (where === 'this process') expect(await codeOf(() => open(directory))).toBe('WISC_LOCKED')
      else if (where === 'another process')
        expect(await runModule(CODE, directory)).toBe('WiscError WISC_LOCKED\n')
      else {
        const face = new URL('../../dist/lib/index.js', import.meta.url).href
        const code = `const { parentPort, workerData } = require('node:worker_threads')
        import(workerData.face).then(({ open }) => open(workerData.directory))
          .then(() => 'opened', (error) => error.code).then((result) => parentPort.postMessage(result))`
        const worker = new Worker(code, { eval: true, workerData: { face, directory } })
        expect(await new Promise((resolve) => worker.once('message', resolve))).toBe('WISC_LOCKED')
        await worker.terminate()
      }
      expect(changesBesideAppends(directory, before)).toEqual([])
      expect(String(await store.get('kept'))).toBe('value')
      await store.put('more', 'value')
      await store.close()
      const again = await open(directory, SMALL_OPTIONS)
      expect((await again.keys().nextMany(5)).map(String)).toEqual(['kept', 'more'])
      await again.close()
    },
  )
})

describe('a store', () => {
  async function makeStore(name = 'db'): Promise<string> {
    const directory = path.join(temporaryDirectory(), name)
    const store = await open(directory, SMALL_OPTIONS)
    for (let i = 0; i < 30; i++) await store.put(`key${i}`, Buffer.alloc(i * 20))
    await store.close()
    return directory
  }

  function find(directory: string, pattern: RegExp): string {
    return path.join(directory, fs.readdirSync(directory).find((name) => pattern.test(name))!)
  }

  async function expectRefused(directory: string, code: string, file?: string): Promise<void> {
    const before = contents(directory)
    for (const options of [SMALL_OPTIONS, { readOnly: true }]) {
      try {
        const store = await open(directory, options)
        await store.close()
        expect.unreachable(`${code} was expected`)
      } catch (error) {
        expect(error).toBeInstanceOf(WiscError)
        expect(error).toMatchObject({ code })
        if (file) expect((error as CorruptionError).file).toBe(path.basename(file))
      }
      expect(contents(directory)).toEqual(before)
    }
  }

  /** Runs the check, puts the bytes back, and expects the store to be whole. */
  async function expectMended(directory: string, file: string, bytes: Buffer): Promise<void> {
    fs.writeFileSync(file, bytes)
    const store = await open(directory, SMALL_OPTIONS)
    expect((await store.keys().nextMany(100)).length).toBe(30)
    expect(store.getSync('key29')).toEqual(Buffer.alloc(29 * 20))
    await store.close()
  }

  test.each([/^MANIFEST/, /\.sst$/, /\.vlog$/])(
    'of which a file %s is missing is refused',
    async (pattern) => {
      const directory = await makeStore()
      const file = find(directory, pattern)
      const bytes = fs.readFileSync(file)
      fs.rmSync(file)
      await expectRefused(directory, 'WISC_CORRUPTION', file)
      await expectMended(directory, file, bytes)
    },
  )

  test('of which CURRENT is missing is no store, and none is created over it', async () => {
    const directory = await makeStore()
    const file = path.join(directory, 'CURRENT')
    const bytes = fs.readFileSync(file)
    fs.rmSync(file)
    await expectRefused(directory, 'WISC_NO_STORE')
    await expectMended(directory, file, bytes)
  })

  test.each([/^MANIFEST/, /\.sst$/, /\.vlog$/])(
    'with a file %s of another store is refused',
    async (pattern) => {
      const directory = await makeStore()
      const other = await makeStore('other')
      const file = find(directory, pattern)
      const bytes = fs.readFileSync(file)
      fs.copyFileSync(find(other, pattern), file)
      if (pattern.test('x.sst') || pattern.test('x.vlog')) {
        // What is below the checkpoint is not read at open: verify says so, and the first read of a table.
        const before = contents(directory)
        const opened = await open(directory, { readOnly: true }).catch((error: unknown) => error)
        if (opened instanceof WiscError) {
          // Tables of two stores may differ in length: then the open itself refuses it.
          expect(opened).toMatchObject({ code: 'WISC_CORRUPTION', file: path.basename(file) })
        } else {
          const store = opened as Store
          expect((await store.verify()).ok).toBe(false)
          if (pattern.test('x.sst')) {
            expect(await codeOf(() => store.getSync('key29'))).toBe('WISC_CORRUPTION')
          }
          await store.close()
        }
        expect(contents(directory)).toEqual(before)
      } else await expectRefused(directory, 'WISC_CORRUPTION')
      await expectMended(directory, file, bytes)
    },
  )

  test('of a newer format is refused: CURRENT', async () => {
    const directory = await makeStore()
    const file = path.join(directory, 'CURRENT')
    const bytes = fs.readFileSync(file)
    const body = Buffer.from(
      bytes
        .toString()
        .replace(/^wisc \d+/, 'wisc 99')
        .replace(/checksum .*\n/, ''),
    )
    const checksum = crc32From(0, body).toString(16).padStart(8, '0')
    fs.writeFileSync(file, `${body}checksum ${checksum}\n`)
    await expectRefused(directory, 'WISC_FORMAT_VERSION')
    await expectMended(directory, file, bytes)
  })

  test('of a newer format is refused: the header of its manifest', async () => {
    const directory = await makeStore()
    const file = find(directory, /^MANIFEST/)
    const bytes = fs.readFileSync(file)
    const newer = Buffer.from(bytes)
    writeU16(newer, 8, 99)
    writeU32(newer, 60, crc32From(0, newer.subarray(0, 60)))
    fs.writeFileSync(file, newer)
    await expectRefused(directory, 'WISC_FORMAT_VERSION')
    await expectMended(directory, file, bytes)
  })

  test('whose file is a directory or a link is refused', async () => {
    const directory = await makeStore()
    const file = find(directory, /^MANIFEST/)
    const bytes = fs.readFileSync(file)
    fs.rmSync(file)
    fs.mkdirSync(file)
    const code = await codeOf(() => open(directory, SMALL_OPTIONS))
    expect(['WISC_IO', 'WISC_CORRUPTION']).toContain(code)
    fs.rmdirSync(file)
    const elsewhere = path.join(path.dirname(directory), 'elsewhere')
    fs.writeFileSync(elsewhere, bytes)
    fs.symlinkSync(elsewhere, file)
    expect(['WISC_IO', 'WISC_CORRUPTION']).toContain(
      await codeOf(() => open(directory, SMALL_OPTIONS)),
    )
    fs.rmSync(file)
    await expectMended(directory, file, bytes)
  })
})
