/** How many columns of a terminal a text takes. The text holds no controls (escape.ts) but colours of our own. */
import { stripVTControlCharacters } from 'node:util'

/** Made when a text is not ASCII: its data take 15 ms to load. */
let segmenter: Intl.Segmenter | undefined

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

/** East Asian wide and fullwidth characters, and what is drawn as a picture. */
const WIDE: RegExp = new RegExp(
  [
    String.raw`[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff]`,
    String.raw`[\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]`,
    String.raw`[\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]`,
    String.raw`\p{Emoji_Presentation}`,
  ].join('|'),
  'u',
)
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
const ASCII = /^[\x00-\x7f]*$/

export function textWidth(text: string): number {
  const plain = stripVTControlCharacters(text)
  if (ASCII.test(plain)) return plain.length
  let width = 0
  for (const { segment } of graphemesOf(plain)) width += graphemeWidth(segment)
  return width
}

function graphemeWidth(grapheme: string): number {
  if (/^\p{M}+$/u.test(grapheme)) return 0
  return WIDE.test(grapheme) ? 2 : 1
}

/** The text, cut so that it fits, with an ellipsis where something is missing. What is cut loses its colours. */
export function fitText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const { segment } of graphemesOf(stripVTControlCharacters(text))) {
    width += graphemeWidth(segment)
    if (width > columns - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** The beginning of a text that fits, at least one character of it. */
export function cutText(text: string, columns: number): string {
  if (ASCII.test(text)) return text.slice(0, Math.max(1, columns))
  let kept = ''
  let width = 0
  for (const { segment } of graphemesOf(text)) {
    width += graphemeWidth(segment)
    if (width > columns && kept !== '') break
    kept += segment
  }
  return kept
}

export function padText(text: string, columns: number, align: 'left' | 'right'): string {
  const padding = ' '.repeat(Math.max(0, columns - textWidth(text)))
  return align === 'left' ? text + padding : padding + text
}
