/** The pages of the project, and what stands in them: sections, tables, blocks of code. */
import fs from 'node:fs'
import path from 'node:path'

export const ROOT: string = path.dirname(path.dirname(import.meta.dirname))

/** What users read. */
export const USER_PAGES: readonly string[] = [
  'README.md',
  ...fs
    .readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md') && name !== 'decisions.md')
    .map((name) => `docs/${name}`),
]

export function readPage(name: string): string {
  return fs.readFileSync(path.join(ROOT, name), 'utf8')
}

/** The blocks of code with these words behind their fence, without the fences. */
export function blocksOf(text: string, words: string): string[] {
  const block = new RegExp(`^\`\`\`${words}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')
  return [...text.matchAll(block)].map((match) => match[1]!)
}

/** The text without blocks of code. */
export function proseOf(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '')
}

export interface Section {
  readonly heading: string
  readonly text: string
}

/** The parts below headings of a level, those below deeper ones included. */
export function sectionsOf(text: string, level: number): Section[] {
  const marks = '#'.repeat(level)
  return proseOf(text)
    .split(new RegExp(`^${marks} `, 'm'))
    .slice(1)
    .map((part) => ({ heading: part.split('\n')[0]!, text: part }))
}

/** The rows below a line that begins a table, as their cells. */
export function rowsBelow(text: string, head: string): string[][] {
  const rows = text.split(`\n${head}\n`)[1]!.split('\n\n')[0]!.split('\n').slice(1)
  return rows.map((row) => row.split('|').map((cell) => cell.trim())).map((row) => row.slice(1, -1))
}

/** All words that stand in code inside of sentences and tables. */
export function wordsInCode(text: string): Set<string> {
  return new Set([...text.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code!.match(/\w+/g) ?? []))
}

/** What a heading is called in links, as forges make it. */
export function anchorsOf(text: string): Set<string> {
  return new Set(
    [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}
