/** The types that are published: all that the face needs, and nothing of what lies behind it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '../..')
const FACE = 'dist/lib/index.d.ts'

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
