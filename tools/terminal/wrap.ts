/** Texts in lines of a width: broken between words, and inside of a word that is longer than a line. */
import { cutText, textWidth } from './text-width.ts'

/** Of lines behind the first one. */
const INDENT = '  '

/** @returns lines joined by newlines; words in one line are joined by `gap` */
export function wrapWords(
  words: readonly string[],
  columns: number,
  gap: string,
  indent: string = INDENT,
): string {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    const joined = line === '' ? word : `${line}${gap}${word}`
    if (textWidth(joined) <= columns) {
      line = joined
      continue
    }
    if (line !== '') lines.push(line)
    line = `${indent}${word}`
    for (let head = cutText(line, columns); head.length < line.length; ) {
      lines.push(head)
      line = `${indent}${line.slice(head.length)}`
      head = cutText(line, columns)
    }
  }
  return [...lines, line].join('\n')
}

/** Whole lines of what the signs of a bar mean. @param parts each a sign and its meaning */
export function formatLegend(parts: readonly string[], columns: number): string {
  return `${wrapWords(parts, columns, '  ', '')}\n`
}

/** Whole lines of a sentence, none of them indented. */
export function formatSentence(text: string, columns: number): string {
  return `${wrapWords(text.split(' '), columns, ' ', '')}\n`
}

/** A sentence. */
export function wrapText(text: string, columns: number): string {
  return wrapWords(text.split(' '), columns, ' ')
}
