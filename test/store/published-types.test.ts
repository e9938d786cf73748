/** The types that are published: all that the face needs, and nothing of what lies behind it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '../..')
const FACE = 'dist/lib/index.d.ts'
/** What stands on the face. */
const LEVEL = 'dist/lib/level/wisc-level.d.ts'
const KEYV = 'dist/lib/keyv/keyv-wisc.d.ts'
const UNSTORAGE = 'dist/lib/unstorage/wisc-driver.d.ts'
/** All that a program may load. */
const ENTRIES = [LEVEL, KEYV, UNSTORAGE]
const COMPILER = path.join(ROOT, 'node_modules/typescript/bin/tsc')

/** The declarations that a program loads which imports the library. */
function loadedFrom(file: string, loaded: Set<string> = new Set()): Set<string> {
  if (loaded.has(file)) return loaded
  loaded.add(file)
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8')
  for (const [, from] of text.matchAll(/\b(?:from |import\()['"](\.[^'"]+)['"]/g)) {
    loadedFrom(
      path.posix.join(path.posix.dirname(file), from!.replace(/\.[jt]s$/, '.d.ts')),
      loaded,
    )
  }
  return loaded
}

test('the face needs no declaration of what lies behind it', () => {
  const needed = ENTRIES.flatMap((entry) => [...loadedFrom(entry)]).map((file) =>
    path.posix.relative('dist/lib', file),
  )
  const internal = needed.filter(
    (file) =>
      !/^(contract\/[\w-]+|index|base\/errors|store\/store|(?:level|keyv|unstorage)\/[\w-]+)\.d\.ts$/.test(
        file,
      ),
  )
  expect(needed).toContain(path.posix.relative('dist/lib', FACE))
  expect(internal).toEqual([])
})

test('a store shows what its page describes, and no way behind it', () => {
  const text = fs.readFileSync(path.join(ROOT, 'dist/lib/store/store.d.ts'), 'utf8')
  const members = [...text.matchAll(/^ {4}(?:static )?([\w#[\].]+)[(;<]/gm)].map(
    (match) => match[1]!,
  )
  const isDescribed = (name: string, page: string): boolean =>
    /^(#private|\[Symbol\.asyncDispose\])$/.test(name) || new RegExp(`\\b${name}\\b`).test(page)
  const page = fs.readFileSync(path.join(ROOT, 'docs/api.md'), 'utf8')
  expect(members.length).toBeGreaterThan(20)
  expect(members.filter((name) => !isDescribed(name, page))).toEqual([])
})

/** A program that uses streams, as types see it. */
const STREAMING = `
import { createReadStream } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { open } from 'wisc'
const store = await open('db')
await store.putStream('a', createReadStream('film'))
await store.putStream('b', await openFile('film'))
await store.putStream('c', new Blob(['film']))
await store.putStream('d', new Blob(['film']).stream())
await store.putStream('e', (await fetch('http://localhost')).body!)
const film = await store.getStream('a')
if (film) {
  await store.putStream('f', film)
  await store.putStream('g', Readable.fromWeb(film))
}
for await (const bytes of (await store.getStream('b'))!) console.log(bytes.length)
const reader = (await store.getStream('b'))!.getReader({ mode: 'byob' })
const { value } = await reader.read(new Uint8Array(65536))
console.log(value?.length)
`

/** What the checks refuse, types refuse, too; and what they do not, compiles. */
const CHECKED = `
import { open, type Condition, type DeletedRange, type KeyCondition } from 'wisc'
const store = await open('db')
const view = store.with({ key: 'tuple', value: 'json' })
await store.put('a', 'b', { if: { absent: true } })
await store.put('a', 'b', { if: { sequence: 1 } })
await store.delete('a', { if: { value: 'b' } })
const either: KeyCondition = Math.random() < 0.5 ? { absent: true } : { value: 'b' }
const all: Condition[] = [{ key: 'a', ...either }, { key: 'b', present: true }]
await store.write([{ type: 'deleteRange', gte: 'a' }], { if: all })
await view.put(['a'], 1, { if: { value: 2 } })
await view.write([{ type: 'deleteRange', prefix: ['a'] }], { if: [{ key: ['a'], absent: true }] })
// @ts-expect-error
await store.put('a', 'b', { if: { absent: true, present: true } })
// @ts-expect-error
await store.put('a', 'b', { if: {} })
// @ts-expect-error
await store.write([], { if: [{ key: 'a', sequence: 1, value: 'b' }] })
// @ts-expect-error
await view.put(['a'], 1, { if: { absent: true, value: 2 } })

const range: DeletedRange = { prefix: 'a', gt: 'ab' }
await store.deleteRange(range)
await store.deleteRange({ gte: '' })
await view.deleteRange({ lt: ['a'] })
// @ts-expect-error
await store.deleteRange({})
// @ts-expect-error
await store.write([{ type: 'deleteRange' }])
// @ts-expect-error
await view.deleteRange({})
// @ts-expect-error
await store.transaction(async (tx) => tx.deleteRange({}))

await store.put('a', 'b', { ttl: 1000, compression: 'zstd', sync: true, if: { absent: true } })
await store.put('a', 'b', { expiresAt: new Date() })
await store.put('a', 'b', { ttl: Math.random() < 0.5 ? 1000 : undefined })
await store.write([{ type: 'put', key: 'a', value: 'b', expiresAt: 1 }, { type: 'put', key: 'b', value: 'c' }])
await view.write([{ type: 'put', key: ['a'], value: 1, ttl: 1000 }])
await view.put(['a'], 1, { ttl: 1000, if: { absent: true } })
await store.touch('a', { ttl: 1000, sync: true })
// @ts-expect-error
await store.put('a', 'b', { ttl: 1000, expiresAt: new Date() })
// @ts-expect-error
await store.write([{ type: 'put', key: 'a', value: 'b', ttl: 1, expiresAt: 1 }])
// @ts-expect-error
await view.write([{ type: 'put', key: ['a'], value: 1, ttl: 1, expiresAt: 1 }])
// @ts-expect-error
await view.put(['a'], 1, { ttl: 1, expiresAt: 1 })
// @ts-expect-error
await store.putStream('a', new Blob(), { ttl: 1, expiresAt: 1 })
// @ts-expect-error
await store.transaction(async (tx) => tx.put('a', 'b', { ttl: 1, expiresAt: 1 }))
// @ts-expect-error
await store.touch('a', {})

const count: number = await store.transactionSync((tx) => [...tx.keys()].length)
await store.transactionSync((tx) => tx.put('count', String(count)))
const found: string | undefined = await store.transactionSync((tx) => {
  if (tx.has('a')) return String(tx.get('a'))
  return undefined
})
// @ts-expect-error
await store.transactionSync(async (tx) => tx.put('a', found ?? ''))
// @ts-expect-error
await store.transactionSync((tx) => Promise.resolve(tx.get('a')))
`

/** A program that uses `wisc/level`, and hands it to what takes any database of abstract-level. */
const LEVELLED = `
import type { AbstractLevel } from 'abstract-level'
import { WiscLevel } from 'wisc/level'
const db = new WiscLevel<string, { lives: number }>('db', { valueEncoding: 'json', workers: 1 })
const cats = db.sublevel<string, Buffer>('cats', { valueEncoding: 'buffer' })
await db.put('tom', { lives: 9 }, { sync: true, ttl: 1000 })
await db.batch([{ type: 'put', key: 'a', value: Buffer.alloc(1), sublevel: cats, ttl: 9 }], { sync: true })
await db.batch().put('b', { lives: 1 }, { expiresAt: new Date() }).write({ sync: true })
await using snapshot = db.snapshot()
const lives: number | undefined = (await db.get('tom', { snapshot }))?.lives
for await (const [key, value] of db.iterator({ gt: 'a', highWaterMarkBytes: 1000 })) {
  console.log(key.length, value.lives, lives, db.store.stats().liveBytes, db.getSync(key)?.lives)
}
await db.clear({ gte: 'a', sync: true })
await cats.put('b', Buffer.alloc(1), { ttl: 1000, sync: true })
await cats.batch([{ type: 'put', key: 'c', value: Buffer.alloc(1), ttl: 9 }], { sync: true })
await db.batch([{ type: 'put', sublevel: cats, key: 'c', value: { lives: 1 }, ttl: 9 }])
await db.batch<string, unknown>([{ type: 'put', sublevel: cats, key: 'c', value: 'any', ttl: 9 }], {})
console.log(cats.prefix, cats.parent.location, cats.db.location)
// @ts-expect-error
await cats.put('b', 'no buffer')
async function any(
  database: AbstractLevel<string | Buffer | Uint8Array, string, { lives: number }>,
): Promise<void> {
  await database.sublevel('x').clear()
}
await any(db)
// @ts-expect-error
await db.put('tom', 'nine')
`

test('a program that uses wisc/level compiles', () => {
  expect(compiled(LEVELLED, ['es2023', 'esnext.disposable'])).toBe('')
})

test('types refuse what the checks of calls refuse', () => {
  expect(compiled(CHECKED, ['es2023', 'esnext.disposable'])).toBe('')
})

test.each([
  ['without the types of browsers', ['es2023', 'esnext.disposable']],
  ['with them', ['es2023', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable']],
])('a program that uses streams compiles %s', (_, lib) => {
  expect(compiled(STREAMING, lib)).toBe('')
})

/** What the compiler says of a program. */
function compiled(program: string, lib: readonly string[]): string {
  const directory = fs.mkdtempSync(path.join(ROOT, 'node_modules/.types-'))
  try {
    fs.writeFileSync(path.join(directory, 'program.mts'), program)
    const compilerOptions = {
      ...{ target: 'es2023', module: 'nodenext', strict: true, noEmit: true, types: ['node'], lib },
      paths: { wisc: [path.join(ROOT, FACE)], 'wisc/level': [path.join(ROOT, LEVEL)] },
    }
    const config = { compilerOptions, files: ['program.mts'] }
    fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config))
    return spawnSync(process.execPath, [COMPILER, '-p', directory], { encoding: 'utf8' }).stdout
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

/** The files of the package. */
function packedFiles(): string[] {
  const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  const [{ files }] = JSON.parse(packed.stdout) as [{ files: { readonly path: string }[] }]
  return files.map((file) => file.path)
}

test('what is packed of the declarations is what the face needs, and of the code what that imports', () => {
  const files = packedFiles()
  const declarations = files.filter((file) => file.endsWith('.d.ts'))
  expect(declarations.toSorted()).toEqual(
    [...new Set(ENTRIES.flatMap((entry) => [...loadedFrom(entry)]))].toSorted(),
  )
  const missing = files
    .filter((file) => /^dist\/.*\.c?js$/.test(file))
    .flatMap((file) => importsOf(file).filter((target) => !files.includes(target)))
  expect(missing).toEqual([])
})

/** Files of the project that a packed file imports. */
function importsOf(file: string): string[] {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8')
  const specifiers = [
    ...text.matchAll(/^(?:import|export) [^'"\n]*?(?:from )?["'](\.[^'"]+)["']/gm),
    ...text.matchAll(/\b(?:import|require)\(["'](\.[^'"]+)["']\)/g),
  ]
  return specifiers.map((match) => path.posix.join(path.posix.dirname(file), match[1]!))
}
