/** The types that are published: all that the face needs, and nothing of what lies behind it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '../..')
const FACE = 'dist/lib/index.d.ts'
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
  const needed = [...loadedFrom(FACE)].map((file) => path.posix.relative('dist/lib', file))
  const internal = needed.filter(
    (file) => !/^(contract\/[\w-]+|index|base\/errors|store\/store)\.d\.ts$/.test(file),
  )
  expect(internal).toEqual([])
})

test('a store shows what README describes, and no way behind it', () => {
  const text = fs.readFileSync(path.join(ROOT, 'dist/lib/store/store.d.ts'), 'utf8')
  const members = [...text.matchAll(/^ {4}(?:static )?([\w#[\].]+)[(;]/gm)].map(
    (match) => match[1]!,
  )
  const isDescribed = (name: string, page: string): boolean =>
    /^(#private|\[Symbol\.asyncDispose\])$/.test(name) || new RegExp(`\\b${name}\\b`).test(page)
  const page = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
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

test.each([
  ['without the types of browsers', ['es2023', 'esnext.disposable']],
  ['with them', ['es2023', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable']],
])('a program that uses streams compiles %s', (_, lib) => {
  const directory = fs.mkdtempSync(path.join(ROOT, 'node_modules/.types-'))
  try {
    fs.writeFileSync(path.join(directory, 'program.mts'), STREAMING)
    const compilerOptions = {
      ...{ target: 'es2023', module: 'nodenext', strict: true, noEmit: true, types: ['node'], lib },
      paths: { wisc: [path.join(ROOT, FACE)] },
    }
    const config = { compilerOptions, files: ['program.mts'] }
    fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config))
    const compiled = spawnSync(process.execPath, [COMPILER, '-p', directory], { encoding: 'utf8' })
    expect(compiled.stdout).toBe('')
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
})

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
  expect(declarations.toSorted()).toEqual([...loadedFrom(FACE)].toSorted())
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
