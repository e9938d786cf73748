/** Words in lines that fit: what the signs of a bar mean, and sentences. Plain characters, one column each. */
const GAP = '  '

/** @param parts each a sign and its meaning; a part is never broken */
export function formatLegend(parts: readonly string[], columns: number): string {
  return fill(parts, GAP, columns)
}

/** A sentence. */
export function formatSentence(text: string, columns: number): string {
  return fill(text.split(' '), ' ', columns)
}

function fill(parts: readonly string[], gap: string, columns: number): string {
  const lines: string[] = []
  for (const part of parts) {
    const line = lines.at(-1)
    const longer = line === undefined ? part : line + gap + part
    if (line === undefined || longer.length > columns) lines.push(part)
    else lines[lines.length - 1] = longer
  }
  return lines.map((line) => `${line}\n`).join('')
}
