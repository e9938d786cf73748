/** HTML and SVG from templates: what is put into one is text and is escaped, unless it was made by another one. */
import { escapeText } from '../terminal/escape.ts'

/** Made by {@link html}, so it may be put into a page as it is. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Part = string | number | Html | readonly Html[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Controls and invisible characters are escaped as on a terminal, then what means something in HTML. */
function escapeHtml(text: string): string {
  return escapeText(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings.reduce((done, literal, index) => {
    return done + literal + (index < parts.length ? partText(parts[index]!) : '')
  }, '')
  return new Html(text)
}

function partText(part: Part): string {
  if (part instanceof Html) return part.text
  if (typeof part === 'string') return escapeHtml(part)
  return typeof part === 'number' ? String(part) : part.map(({ text }) => text).join('')
}
