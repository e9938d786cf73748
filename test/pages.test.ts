/** The pages: what they name of the code is there, their lines are short, their links lead somewhere. */
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { resolveOptions } from '#dist/lib/contract/options.js'
import { codeOf, declaredIn, exportedNames, membersOf } from './support/face.ts'
import {
  anchorsOf,
  proseOf,
  ROOT,
  readPage,
  rowsBelow,
  sectionsOf,
  USER_PAGES,
  wordsInCode,
} from './support/pages.ts'
import { fieldsOf, SOURCES } from './support/sources.ts'

const COLUMNS_MAX = 120
const README_LINES_MAX = 200

describe('pages', () => {
  const inner = ['ARCHITECTURE.md', 'docs/decisions.md']
  const pages = inner.map((name) => ({ name, text: readPage(name) }))

  test(`lines have at most ${COLUMNS_MAX} columns, but for tables of user pages`, () => {
    const long = [...inner, ...USER_PAGES].flatMap((name) =>
      readPage(name)
        .split('\n')
        .flatMap((line, i) => {
          const isRow = line.startsWith('|') && !inner.includes(name)
          return line.length > COLUMNS_MAX && !isRow ? `${name}:${i + 1}` : []
        }),
    )
    expect(long).toEqual([])
  })

  test('links lead to files and headings that are there', () => {
    const dead = [...inner, ...USER_PAGES, 'CHANGELOG.md'].flatMap((name) =>
      [...proseOf(readPage(name)).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
        .filter(([, file, anchor]) => {
          const target = path.posix.join(path.posix.dirname(name), file!)
          const isThere = file === '' || fs.existsSync(path.join(ROOT, target))
          if (!isThere || anchor === undefined) return !isThere
          return !anchorsOf(readPage(file === '' ? name : target)).has(anchor)
        })
        .map(([link]) => `${name}: ${link}`),
    )
    expect(dead).toEqual([])
  })

  test('README can be read in one go', () => {
    expect(readPage('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(README_LINES_MAX)
  })

  test('the picture is the one that its script draws', async () => {
    const script = pathToFileURL(path.join(ROOT, 'scripts/picture.mjs')).href
    const { picture } = (await import(script)) as { picture: () => string }
    expect(readPage('docs/how-it-works.svg')).toBe(picture())
  })

  test('every file that a comment of the code names is there', () => {
    const there = SOURCES.map(({ name }) => `/${name}`)
    const missing = SOURCES.flatMap(({ name, text }) =>
      [...text.matchAll(/^ *(?:\/\*\*|\*|\/\/) .*$/gm)]
        .flatMap(([comment]) => [...comment.matchAll(/(?<![\w/.])(?:[\w-]+\/)*[\w-]+\.ts\b/g)])
        .filter(([file]) => !there.some((path) => path.endsWith(`/${file}`)))
        .map(([file]) => `${name}: ${file}`),
    )
    expect(missing).toEqual([])
  })

  test('every folder has a sentence in the house', () => {
    const house = pages[0]!.text.split('## The house')[1]!.split('## Words')[0]!
    const folders = new Set(SOURCES.map(({ name }) => path.posix.dirname(name)))
    const shown = [...folders].filter((folder) => /^(lib|vlog|tools)\//.test(folder))
    const nameless = shown.filter((folder) => {
      const name = /^lib\/[^/]+$/.test(folder) ? `${folder}/` : `${path.posix.basename(folder)}/`
      return !house.split('\n').some((line) => /^ {4}/.test(line) && line.includes(` ${name}`))
    })
    expect(nameless).toEqual([])
  })

  test('what they name in a file is in that file', () => {
    const missing = pages.flatMap(({ name, text }) =>
      [...text.matchAll(/`([\w./-]+\.ts)`\s+`([#\w]+)`/g)]
        .filter(([, file, word]) => !SOURCES.find((one) => one.name === file)?.code.includes(word!))
        .map(([, file, word]) => `${name}: ${word} of ${file}`),
    )
    expect(missing).toEqual([])
  })

  test('every file that they name is there', () => {
    const missing = pages.flatMap(({ name, text }) =>
      [...text.matchAll(/`((?:lib|vlog|tools|bench|test|scripts|docs)\/[\w./-]+)`/g)]
        .map((match) => match[1]!)
        .filter((file) => !fs.existsSync(path.join(ROOT, file)))
        .map((file) => `${name}: ${file}`),
    )
    expect(missing).toEqual([])
  })

  test('every test that the page of the tests names is there', () => {
    const page = readPage('test/README.md')
    const missing = [...page.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell]) => {
      const names = [...cell!.matchAll(/`([a-z][\w/-]+)`/g)].map((match) => match[1]!)
      const folder = path.posix.dirname(names[0] ?? '')
      return names.filter((name) =>
        [`test/${name}`, `test/${name}.test.ts`, `test/${folder}/${name}.test.ts`].every(
          (file) => !fs.existsSync(path.join(ROOT, file)),
        ),
      )
    })
    expect(missing).toEqual([])
  })
})

describe('docs/api.md', () => {
  const text = readPage('docs/api.md')
  const sections = sectionsOf(text, 2)

  /** Those with headings of their own, with what every emitter has, and with what the same ones of the store have. */
  const isTold = (name: string): boolean =>
    name === 'Store' || name === 'StoreEmitter' || /^Typed(?!Store)/.test(name)

  test('has a heading for each call of a store', () => {
    const headings = [...proseOf(text).matchAll(/^#{2,3} (.*)$/gm)].flatMap(([, names]) =>
      names!.split(', '),
    )
    expect(membersOf('Store').length).toBeGreaterThan(30)
    expect(membersOf('Store').filter((name) => !headings.includes(name))).toEqual([])
  })

  test('names all that is exported, and of each type in one section all that it has', () => {
    const names = exportedNames()
    expect(names.length).toBeGreaterThan(80)
    const missing = names.flatMap((name) => {
      const where = sections
        .map((section) => wordsInCode(section.text))
        .filter((words) => words.has(name))
      if (where.length === 0) return [name]
      if (isTold(name)) return []
      const members = membersOf(name)
      const lacks = where.map((words) => members.filter((member) => !words.has(member)))
      const least = lacks.toSorted((left, right) => left.length - right.length)[0]!
      return least.length > 0 ? [`${name}: ${least.join(', ')}`] : []
    })
    expect(missing).toEqual([])
  })

  test('leads to pages that name what the other entries export', () => {
    const entries = {
      'docs/level.md': ['lib/level/wisc-level.ts', 'lib/level/level-options.ts'],
      'docs/keyv.md': ['lib/keyv/keyv-wisc.ts'],
      'docs/unstorage.md': ['lib/unstorage/wisc-driver.ts'],
    }
    for (const [page, files] of Object.entries(entries)) {
      expect(text).toContain(`(${path.basename(page)})`)
      const words = wordsInCode(proseOf(readPage(page)))
      const names = files.flatMap((file) => declaredIn(codeOf(file)))
      expect(
        names.filter((name) => !words.has(name)),
        page,
      ).toEqual([])
    }
  })

  test('has a row for each event, with all that its payload has', () => {
    const rows = rowsBelow(text, '| event | payload |')
    const events = SOURCES.find(({ name }) => name === 'lib/contract/events.ts')!.code
    const types = [...events.matchAll(/^ {2}(\w+): \[\w+: (\w+)\]$/gm)].map(([, name, type]) => [
      name!,
      type!,
    ])
    expect(rows.map(([name]) => name)).toEqual(types.map(([name]) => `\`${name}\``))
    expect(types.length).toBeGreaterThan(4)
    for (const [i, [name, type]] of types.entries()) {
      const payload = /^`\{ (.*?) \}`/.exec(rows[i]![1]!)
      if (!type!.endsWith('Event')) expect(payload, name).toBeNull()
      else expect(payload![1]!.split(', ').toSorted(), name).toEqual(fieldsOf(type!))
    }
  })

  test('has a row for each code of an error', () => {
    const rows = rowsBelow(text, '| code | when | what to do |')
    const errors = SOURCES.find(({ name }) => name === 'lib/base/errors.ts')!.text
    const codes = [...errors.matchAll(/^ {2}\| '(WISC_\w+)'/gm)].map(([, code]) => `\`${code}\``)
    expect(codes.length).toBeGreaterThan(10)
    expect(rows.map(([code]) => code).toSorted()).toEqual(codes.toSorted())
  })

  const options = rowsBelow(text, '| option | default | limits | |')

  test('has a row for each option', () => {
    const rows = options.flatMap(([name]) => [...name!.matchAll(/[\w.]+/g)].map(([one]) => one))
    const nested = {
      collector: 'CollectorOptions',
      tree: 'TreeTuning',
      transactions: 'TransactionLimits',
      cache: 'CacheOptions',
    }
    const names = fieldsOf('Options').flatMap((name) =>
      Object.hasOwn(nested, name)
        ? fieldsOf(nested[name as keyof typeof nested]).map((inside) => `${name}.${inside}`)
        : [name],
    )
    expect(rows.toSorted()).toEqual(names.toSorted())
  })

  test('has the defaults', () => {
    const standard = resolveOptions({}) as unknown as Record<string, unknown>
    for (const [name, shown] of options) {
      const [first, second] = name!.slice(1, -1).split('.')
      const outer = standard[first!]
      const value = second === undefined ? outer : (outer as Record<string, unknown>)?.[second]
      expect(defaultOf(shown!.split(',')[0]!, shown!), name).toBe(value)
    }
  })

  test('has the limits', () => {
    const limited = options.filter(([, , limits]) => limits !== '')
    expect(limited.length).toBeGreaterThan(20)
    for (const [name, , limits] of limited) {
      const [least, most] = limitsOf(limits!)
      const isTaken = (value: number): boolean => takes(name!.slice(1, -1), value)
      expect([isTaken(least), isTaken(least - 1)], `${name} ${least}`).toEqual([true, false])
      if (most === undefined) expect(isTaken(Number.MAX_SAFE_INTEGER), name).toBe(true)
      else expect([isTaken(most), isTaken(most + 1)], `${name} ${most}`).toEqual([true, false])
    }
  })
})

/** Whether an option may have a value, beside such that leave it all its limits. */
function takes(name: string, value: number): boolean {
  const [first, second] = name.split('.')
  const beside = first === 'tree' ? { sizeRatio: 100 } : {}
  const given = second === undefined ? value : { ...beside, [second]: value }
  try {
    resolveOptions({ [first!]: given })
    return true
  } catch {
    return false
  }
}

/** The least and the most of `A to B`, and of `A or more`. */
function limitsOf(text: string): [least: number, most: number | undefined] {
  const [least, most] = text.replace(/ or more$/, '').split(' to ')
  return [limitOf(least!), most === undefined ? undefined : limitOf(most)]
}

function limitOf(text: string): number {
  return text === '2^31 - 1' ? 2 ** 31 - 1 : (sizeOf(text) ?? Number(text))
}

/** What a default in the table stands for; `undefined` where there is none. */
function defaultOf(first: string, whole: string): unknown {
  const size = sizeOf(whole)
  if (size !== undefined) return size
  if (/^'\w+'$/.test(whole)) return whole.slice(1, -1)
  return { true: true, false: false }[first]
}

/** A number in the table, which may have a unit. */
function sizeOf(text: string): number | undefined {
  const size = /^([\d,.]+)(?: (KiB|MiB|GiB))?$/.exec(text)
  if (!size) return undefined
  const unit = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[size[2] ?? ''] ?? 1
  return Number(size[1]!.replaceAll(',', '')) * unit
}
