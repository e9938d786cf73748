/** The page of the command: all verbs, all their options, and outputs as they are. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Argv } from 'yargs'
import type { Verb } from '#dist/tools/verb/verb.js'
import { loadVerbs, VERB_NAMES } from '#dist/tools/verbs.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { blocksOf, ROOT, readPage, sectionsOf } from '../support/pages.ts'
import { runShell, WISC } from '../support/processes/wisc-shell.ts'

const page = readPage('docs/command.md')
const sections = sectionsOf(page, 2)
const verbs = await loadVerbs([])

/** The options that a verb tells the parser. */
function optionsOf(verb: Verb): string[] {
  const names: string[] = []
  const parser: object = new Proxy(
    {},
    {
      get: (_, call) => (given: string | object) => {
        if (call === 'option') names.push(given as string)
        if (call === 'options') names.push(...Object.keys(given))
        return parser
      },
    },
  )
  const root = {
    command: (...[, , build]: [string, string, (command: object) => void]) => build(parser),
  }
  verb.register(root as unknown as Argv, async () => undefined)
  return names
}

describe('docs/command.md', () => {
  test('has a section for each verb', () => {
    const names = sections.map(({ heading }) => heading).filter((name) => /^\w+$/.test(name))
    expect(names.toSorted()).toEqual([...VERB_NAMES].toSorted())
  })

  test.each(verbs.map((verb) => [verb.usage.split(' ')[0]!, verb] as const))(
    '%s has its arguments and options',
    (name, verb) => {
      const { text } = sections.find(({ heading }) => heading === name)!
      const [usage] = /^ {4}wisc .*$/m.exec(text)!
      const words = verb.usage
        .replaceAll(/[<[]\w+/g, (word) => word.toUpperCase())
        .replaceAll(/[<>]/g, '')
      expect(usage.trim().replace(/ --.*/, '')).toBe(`wisc ${words}`)
      const rows = [...text.matchAll(/^\| (`--[^|]*) \|/gm)].map((match) => match[1]!)
      const listed = rows.flatMap((row) =>
        [...row.matchAll(/`--([\w-]+)`/g)].map((match) => match[1]!),
      )
      const known = optionsOf(verb).filter((option) => option !== 'json')
      expect(listed.toSorted()).toEqual(known.toSorted())
    },
  )
})

interface Step {
  readonly commandLine: string
  readonly shown: string
}

/** What was typed, and what came of it. */
function stepsOf(block: string): Step[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const end = step.indexOf('\n')
      return { commandLine: step.slice(0, end), shown: step.slice(end + 1) }
    })
}

function runIn(directory: string, commandLine: string): string {
  const { out } = runShell(
    `wisc() { ${WISC} "$@"; }; cd '${directory}'; { ${commandLine}; } 2>&1`,
    {
      COLUMNS: '100',
    },
  )
  return out.replace(/([^\n])$/, '$1\n')
}

const isUnix = process.platform !== 'win32'

test.runIf(isUnix)('the commands of the README print what it says', () => {
  const steps = blocksOf(readPage('README.md'), 'console').flatMap(stepsOf)
  expect(steps.length).toBeGreaterThan(5)
  const directory = temporaryDirectory()
  for (const { commandLine, shown } of steps)
    expect(runIn(directory, commandLine), commandLine).toBe(shown)
})

/**
 * First words of lines, as far as they are words: figures, bars and file systems are not the same everywhere. What
 * compression would save is told only where there is Zstandard.
 */
function labelsOf(text: string): string[] {
  const words = [...text.matchAll(/^ *([A-Za-z][\w/.-]*)/gm)].map((match) => match[1]!)
  return words.filter((word) => word !== 'compressed')
}

test.runIf(isUnix)(
  'the commands of the page print what it says, but for figures in samples',
  () => {
    const directory = temporaryDirectory()
    fs.mkdirSync(path.join(directory, 'node_modules'))
    fs.symlinkSync(ROOT, path.join(directory, 'node_modules/wisc'))
    fs.writeFileSync(path.join(directory, 'make.mjs'), blocksOf(page, 'js')[0]!)
    const made = spawnSync(process.execPath, ['make.mjs'], { cwd: directory, encoding: 'utf8' })
    expect([made.status, made.stderr]).toEqual([0, ''])
    const blocks = [...page.matchAll(/^```console( sample)?\n([\s\S]*?)^```$/gm)]
    expect(blocks.length).toBeGreaterThan(12)
    for (const [, sample, block] of blocks) {
      for (const { commandLine, shown } of stepsOf(block!)) {
        const printed = runIn(directory, commandLine)
        if (sample === undefined) expect(printed, commandLine).toBe(shown)
        else expect(labelsOf(printed), commandLine).toEqual(labelsOf(shown))
      }
    }
  },
)
