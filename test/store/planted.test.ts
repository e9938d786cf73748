/**
 * Things with names of ours that are none of our files: the store opens and sets them aside or leaves them alone, or
 * says what to do. It never hangs, and never fails for ever without a word.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Options, open, type Store } from '#dist/lib/index.js'
import { listOrphans } from '#dist/lib/inspect/orphans.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const OPTIONS: Options = { workers: 0, controlSocket: false, segmentBytes: 65536 }

const PLANTS: Readonly<Record<string, (file: string) => void>> = {
  'an empty file': (file) => fs.writeFileSync(file, ''),
  'a file': (file) => fs.writeFileSync(file, 'not of a store'),
  'a directory': (file) => {
    fs.mkdirSync(file)
    fs.writeFileSync(path.join(file, 'mine'), 'mine')
  },
  'a link to a file': (file) => {
    const elsewhere = path.join(temporaryDirectory(), 'elsewhere')
    fs.writeFileSync(elsewhere, 'mine')
    fs.symlinkSync(elsewhere, file)
  },
  'a link to a directory': (file) => fs.symlinkSync(temporaryDirectory(), file),
  'a link to nothing': (file) => fs.symlinkSync('nothing', file),
  'a FIFO': (file) => {
    expect(spawnSync('mkfifo', [file]).status).toBe(0)
  },
}

let template: string
beforeAll(async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'wisc-planted-'))
  template = await makeTornStore(directory)
  return () => fs.rmSync(directory, { recursive: true })
})

function tornStore(): string {
  const directory = path.join(temporaryDirectory(), 'db')
  fs.cpSync(template, directory, { recursive: true })
  return directory
}

/** A store whose log ends with bytes that are no frame, as a crash leaves them. */
async function makeTornStore(directory: string): Promise<string> {
  const store = await open(path.join(directory, 'db'), OPTIONS)
  for (let i = 0; i < 30; i++) await store.put(`key${i}`, Buffer.alloc(2000, i))
  await store.flush()
  for (let i = 30; i < 40; i++) await store.put(`key${i}`, Buffer.alloc(2000, i))
  const torn = path.join(directory, 'torn')
  fs.cpSync(path.join(directory, 'db'), torn, { recursive: true })
  await store.close()
  fs.rmSync(path.join(torn, 'BALLAST'))
  const last = find(torn, /\.vlog$/).findLast((file) => fs.statSync(file).size > 0)!
  fs.appendFileSync(last, 'torn')
  return torn
}

function find(directory: string, pattern: RegExp): string[] {
  const names = fs.readdirSync(directory).filter((name) => pattern.test(name))
  return names.sort().map((name) => path.join(directory, name))
}

async function use(directory: string): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const store: Store = await open(directory, OPTIONS)
    expect((await store.keys().nextMany(100)).length).toBe(40 + round)
    await store.put('more', Buffer.alloc(100_000))
    await store.flush()
    expect((await store.verify()).damage).toEqual([])
    await store.close()
  }
}

const NAMES = [
  'lost',
  'CURRENT.tmp',
  'BALLAST',
  '000050.vlog',
  '000050.sst',
  'MANIFEST-000050',
  '4294967288.vlog',
  '4294967295.sst',
  'MANIFEST-4294967294',
  '9999999999.vlog',
]

describe.each(Object.keys(PLANTS))('%s', (what) => {
  test('with names of ours keeps no store from its work', async () => {
    const directory = tornStore()
    for (const name of NAMES) PLANTS[what]!(path.join(directory, name))
    await use(directory)
    if (what === 'a directory') {
      // Nothing of it is lost, whatever its name is now.
      const found = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })
      expect(found.filter((file) => path.basename(file) === 'mine')).toHaveLength(NAMES.length)
    }
    expect(fs.lstatSync(path.join(directory, 'lost')).isDirectory()).toBe(true)
    expect(find(path.join(directory, 'lost'), /^\d+\.vlog@\d+$/)).toHaveLength(1)
    expect(() => listOrphans(directory)).not.toThrow()
  })

  test('with the name lost, in a store that recovery has nothing to set aside for, hides no figures', async () => {
    const directory = tornStore()
    await (await open(directory, OPTIONS)).close()
    fs.rmSync(path.join(directory, 'lost'), { recursive: true })
    PLANTS[what]!(path.join(directory, 'lost'))
    for (const readOnly of [true, false]) {
      await using store = await open(directory, { ...OPTIONS, readOnly })
      expect(store.stats().diskBytes).toBeGreaterThan(80_000)
      expect(store.segments().length).toBeGreaterThan(0)
    }
  })

  test.each([/^CURRENT$/, /^MANIFEST/, /\.vlog$/, /\.sst$/, /^LOCK$/])(
    'in the place of %s is refused with what to do',
    async (pattern) => {
      const directory = tornStore()
      const [file] = find(directory, pattern)
      const bytes = fs.readFileSync(file!)
      if (pattern.test('LOCK') && what.endsWith('file') && !what.includes('link')) return
      fs.rmSync(file!)
      PLANTS[what]!(file!)
      const failed = await open(directory, OPTIONS).then(
        (store) => store.close(),
        (error: unknown) => error as Error,
      )
      expect(failed).toMatchObject({ code: expect.stringMatching(/^WISC_(IO|CORRUPTION)$/) })
      if (!/^an? (empty )?file$/.test(what)) {
        expect(failed!.message).toMatch(/(move it away|put the file back).*=.*/)
        expect(failed!.message).toContain(path.basename(file!))
      }
      fs.rmSync(file!, { recursive: true })
      fs.writeFileSync(file!, bytes)
      await (await open(directory, OPTIONS)).close()
    },
  )
})

test('numbers go on where they were, whatever lies far ahead of them, in lost/ too', async () => {
  const directory = tornStore()
  fs.writeFileSync(path.join(directory, '4294967288.vlog'), '')
  fs.writeFileSync(path.join(directory, '000070.sst'), '')
  fs.mkdirSync(path.join(directory, 'lost'))
  fs.writeFileSync(path.join(directory, 'lost', '4294967280.vlog@0'), '')
  fs.writeFileSync(path.join(directory, 'lost', '000090.vlog@0'), '')
  await use(directory)
  const numbers = find(directory, /\.(sst|vlog)$/).map((file) =>
    Number.parseInt(path.basename(file), 10),
  )
  expect(numbers.filter((number) => number > 90).length).toBeGreaterThan(1)
  expect(numbers.filter((number) => number > 1000)).toEqual([4294967288])
  expect(listOrphans(directory)).toContainEqual(
    expect.objectContaining({ file: '4294967288.vlog', kind: 'foreign', isRemovable: false }),
  )
})

test('a directory with a manifest of a number that no creation takes is no unfinished store', async () => {
  const directory = temporaryDirectory()
  fs.writeFileSync(path.join(directory, 'MANIFEST-4294967288'), '')
  await expect(open(directory, OPTIONS)).rejects.toMatchObject({
    code: 'WISC_NO_STORE',
    message: expect.stringContaining('MANIFEST-4294967288'),
  })
})

test('a stray segment that may not be read says so, and what to do', async () => {
  if (process.getuid?.() === 0) return
  const directory = tornStore()
  const stray = path.join(directory, '000050.vlog')
  fs.writeFileSync(stray, 'x', { mode: 0 })
  await expect(open(directory, OPTIONS)).rejects.toMatchObject({
    code: 'WISC_IO',
    message: expect.stringContaining('make it readable'),
  })
})
