/**
 * Parts of a page that are made, between two lines that nobody sees:
 *
 *   <!-- made: NAME -->
 *   ...
 *   <!-- end: NAME -->
 */

/**
 * @param sections what stands in each part, by its name
 * @throws Error if the page lacks one of them, or has one that nobody makes
 */
export function fillSections(page: string, sections: Readonly<Record<string, string>>): string {
  const filled = new Set<string>()
  const text = page.replaceAll(
    /^<!-- made: ([\w-]+) -->\n[\s\S]*?^<!-- end: \1 -->$/gm,
    (_all, name: string) => {
      const section = sections[name]
      if (section === undefined) throw new Error(`nobody makes the part ${name} of the page`)
      filled.add(name)
      return `<!-- made: ${name} -->\n\n${section}\n\n<!-- end: ${name} -->`
    },
  )
  const missing = Object.keys(sections).filter((name) => !filled.has(name))
  if (missing.length > 0) throw new Error(`the page has no part ${missing.join(', ')}`)
  return text
}

/** Words in lines of at most so many columns. */
export function wrap(text: string, columns: number = 116): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, line].join('\n')
}
