/** The pages about the code: what they name is there, and their lines are short. */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { SOURCES } from './support/sources.ts'

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
