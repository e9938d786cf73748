/** Pieces of a page of HTML. */

export function figure(title: string, svg: string): string {
  return `<figure><figcaption>${escaped(title)}</figcaption>${svg}</figure>`
}

/** Pictures side by side as far as there is room. */
export function pictures(figures: readonly string[]): string {
  return figures.length === 0 ? '' : `<div class="charts">\n${figures.join('\n')}\n</div>`
}

/** @param lines whole rows: `<tr>...</tr>` */
export function table(head: readonly string[], lines: readonly string[]): string {
  const titles = head.map((title) => `<th>${escaped(title)}</th>`).join('')
  const body = `<tbody>\n${lines.join('\n')}\n</tbody>`
  return `<div class="table"><table><thead><tr>${titles}</tr></thead>${body}</table></div>`
}

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
