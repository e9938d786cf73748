/** The programs in the pages run as they stand there, and print what their comments say. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { blocksOf, ROOT, readPage, USER_PAGES } from '../support/pages.ts'

/** Keyv is no package of the project: test/consumers has it. */
const ELSEWHERE = ['docs/keyv.md']
const FILM = Buffer.alloc(3_000_000, 'film')

/** Runs the programs of a page, each in a directory of its own: to load the library takes longer than most of them. */
const RUNNER = `
for (let i = 0; i < Number(process.argv[2]); i++) {
  process.chdir(import.meta.dirname + '/' + i)
  console.log('program ' + i)
  console.error('program ' + i)
  await import('./' + i + '/program.mjs')
}`

/** Those that import nothing go on from a store that is open. */
function wholeProgram(text: string): string {
  if (/^import /m.test(text)) return text
  return `import { open } from 'wisc'
    const store = await open('./example.db')
    ${text}
    await store.close()`
}

/** What a program says that it prints. */
function promised(text: string): string[] {
  return [...text.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1]!)
}

function linesByProgram(printed: string): string[][] {
  return printed
    .split(/^program \d+\n/m)
    .slice(1)
    .map((part) => part.split('\n').slice(0, -1))
}

const pages = USER_PAGES.filter((name) => !ELSEWHERE.includes(name)).map((name) => ({
  name,
  programs: blocksOf(readPage(name), 'js'),
}))

test('there are some', () => {
  expect(pages.flatMap(({ programs }) => programs).length).toBeGreaterThan(20)
})

test.each(pages)('$name', ({ programs }) => {
  const project = temporaryDirectory()
  fs.mkdirSync(path.join(project, 'node_modules'))
  fs.symlinkSync(ROOT, path.join(project, 'node_modules/wisc'), 'junction')
  const unstorage = path.join(ROOT, 'node_modules/unstorage')
  fs.symlinkSync(unstorage, path.join(project, 'node_modules/unstorage'), 'junction')
  fs.writeFileSync(path.join(project, 'run.mjs'), RUNNER)
  for (const [i, text] of programs.entries()) {
    fs.mkdirSync(path.join(project, `${i}`))
    fs.writeFileSync(path.join(project, `${i}/program.mjs`), wholeProgram(text))
    fs.writeFileSync(path.join(project, `${i}/film.mp4`), FILM)
  }
  const words = [path.join(project, 'run.mjs'), `${programs.length}`]
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  // Some listen to what is not the same each time, and tell it there.
  const complaints = stderr.split('\n').filter((line) => /Error|[Ww]arning/.test(line))
  expect([status, complaints], stderr).toEqual([0, []])
  expect(linesByProgram(stdout)).toEqual(programs.map(promised))
  for (const i of programs.keys()) {
    const copy = path.join(project, `${i}/copy.mp4`)
    if (fs.existsSync(copy)) expect(fs.readFileSync(copy).equals(FILM)).toBe(true)
  }
})
