/** The sources of the project as text, with what each of them imports, for checks of the house (tidy.test.ts). */
import fs from 'node:fs'
import path from 'node:path'

const ROOT = path.dirname(path.dirname(import.meta.dirname))

export interface Source {
  readonly name: string
  readonly text: string
  /** Without comments. */
  readonly code: string
  /** The files of the project that it imports or starts by URL. */
  readonly imports: readonly string[]
}

function listFiles(directory: string): string[] {
  const absolute = path.join(ROOT, directory)
  if (!fs.existsSync(absolute)) return []
  return fs
    .readdirSync(absolute, { recursive: true, encoding: 'utf8' })
    .map((name) => `${directory}/${name.replaceAll(path.sep, '/')}`)
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes('/node_modules/'))
}

function importsOf(name: string, code: string): string[] {
  const specifiers = [
    ...code.matchAll(/^(?:import|export)\b[^'";]*?\bfrom '([^']+)'/gm),
    ...code.matchAll(/^import '([^']+)'/gm),
    ...code.matchAll(/\bimport\('([^']+)'\)/g),
    ...code.matchAll(/\bnew URL\(\s*'([^']+)',\s*import\.meta\.url/g),
  ].map((match) => match[1]!)
  return specifiers.flatMap((specifier) => {
    const target = specifier.startsWith('#')
      ? specifier
      : path.posix.join(path.posix.dirname(name), specifier)
    const isOurs = /^[.#]/.test(specifier) && /\.(ts|js|mjs)$/.test(specifier)
    // What is compiled stands for its source.
    return isOurs ? [target.replace(/^(#|\.\.\/)?dist\//, '').replace(/\.js$/, '.ts')] : []
  })
}

function readSource(name: string): Source {
  const text = fs.readFileSync(path.join(ROOT, name), 'utf8')
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[^:'"`])\/\/.*$/gm, '$1')
  return { name, text, code, imports: importsOf(name, code) }
}

/** All of them, in no order. */
export const SOURCES: readonly Source[] = ['lib', 'vlog', 'tools', 'bench', 'scripts', 'test']
  .flatMap(listFiles)
  .map(readSource)
const BY_NAME: ReadonlyMap<string, Source> = new Map(SOURCES.map((source) => [source.name, source]))

/** The first cycle of imports that can be reached from a file, as the list of its files. */
export function findCycle(
  name: string,
  trail: readonly string[],
  seen: Set<string>,
): string[] | undefined {
  const start = trail.indexOf(name)
  if (start >= 0) return [...trail.slice(start), name]
  if (seen.has(name)) return undefined
  seen.add(name)
  for (const target of BY_NAME.get(name)?.imports ?? []) {
    const cycle = findCycle(target, [...trail, name], seen)
    if (cycle) return cycle
  }
  return undefined
}

/** What an interface of the store's face has, with what it inherits, sorted. Methods are left out. */
export function fieldsOf(type: string): string[] {
  const declared = new RegExp(
    `^export interface ${type} (?:extends ([\\w, ]+) )?\\{(?:\\}|\\n([^]*?)^\\})`,
    'm',
  )
  const found = SOURCES.find(({ name, code }) => name.startsWith('lib/') && declared.test(code))
  const [, bases = '', body = ''] = declared.exec(found!.code)!
  const own = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map((match) => match[1]!)
  return [...bases.split(', ').filter(Boolean).flatMap(fieldsOf), ...own].sort()
}
