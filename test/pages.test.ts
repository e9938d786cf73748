/** The pages: what they name of the code is there, their lines are short; the README names all that its types have. */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { fieldsOf, SOURCES } from './support/sources.ts'

const ROOT = path.dirname(import.meta.dirname)
const COLUMNS_MAX = 120

describe('pages', () => {
  const pages = ['ARCHITECTURE.md', 'docs/decisions.md'].map((name) => ({
    name,
    text: fs.readFileSync(path.join(ROOT, name), 'utf8'),
  }))

  test(`lines have at most ${COLUMNS_MAX} columns`, () => {
    const long = pages.flatMap(({ name, text }) =>
      text.split('\n').flatMap((line, i) => (line.length > COLUMNS_MAX ? `${name}:${i + 1}` : [])),
    )
    expect(long).toEqual([])
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
})

describe('README', () => {
  const text = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')

  /** The rows below a line that begins a table, as their cells. */
  function rowsBelow(head: string): string[][] {
    const rows = text.split(`\n${head}\n`)[1]!.split('\n\n')[0]!.split('\n').slice(1)
    return rows
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .map((row) => row.slice(1, -1))
  }

  /** The names in `{ a, b() }`, without the calls. */
  function namesIn(braces: string): string[] {
    return [...braces.matchAll(/(\w+)(\()?/g)]
      .flatMap(([, name, call]) => (call ? [] : name!))
      .sort()
  }

  test('has a row for each event, with all that its payload has', () => {
    const rows = rowsBelow('| event | payload |')
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
      else expect(namesIn(payload![1]!), name).toEqual(fieldsOf(type!))
    }
  })

  test('has a row for each option', () => {
    const rows = rowsBelow('| option | default | |')
    const names = rows
      .flatMap(([name]) => [...name!.matchAll(/[\w.]+/g)].map(([one]) => one))
      .sort()
    const collector = fieldsOf('CollectorOptions').map((name) => `collector.${name}`)
    const own = fieldsOf('Options').filter((name) => name !== 'collector')
    expect(names).toEqual([...own, ...collector].sort())
    const tree = rows.find(([name]) => name === '`tree`')![2]!
    expect([...tree.matchAll(/`(\w+)`/g)].map((match) => match[1]).sort()).toEqual(
      fieldsOf('TreeTuning'),
    )
  })

  test.each([
    [/`put\(key, value, \{ (.*?) \}\?\)`/, 'PutOptions'],
    [/`write\(operations, \{ (.*?) \}\?\)`/, 'BatchOptions'],
    [/`getSync` \(`key, \{ (.*?) \}\?`/, 'ReadOptions'],
    [/`putStream\(key, source, \{ (.*?) \}\?\)`/, 'PutStreamOptions'],
    [/`getStream\(key, \{ (.*?) \}\?\)`/, 'GetStreamOptions'],
    [/`hasSync` \(`key, \{ (.*?) \}\?`/, 'SnapshotOptions'],
    [/`entries`, `keys`, `values` \(`\{ (.*?) \}\?`\)/, 'RangeOptions'],
    [/`snapshot\(\)` \|[^|]*?`\{ (.*?) \}`/, 'Snapshot'],
    [/`compact\(range\?, \{ (.*?) \}\?\)`/, 'CompactOptions'],
    [/`planCollection` and `collect` take `\{ (.*?) \}`/, 'CollectOptions'],
    [/`update\(key, callback, \{ (.*?) \}\?\)`/, 'UpdateOptions'],
    [/`transaction\(callback, \{ (.*?) \}\?\)`/, 'TransactionOptions'],
    [/`verify\(\{ (.*?) \}\?\)`/, 'VerifyOptions'],
  ])('says what a call takes or gives: %s is %s', (phrase, type) => {
    expect(namesIn(phrase.exec(text)![1]!)).toEqual(fieldsOf(type))
  })

  test('every test that the page of the tests names is there', () => {
    const page = fs.readFileSync(path.join(ROOT, 'test/README.md'), 'utf8')
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
