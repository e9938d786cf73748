/** Tables and figures as Markdown: those of bench/README.md are a paste of them. */

/** One figure to reach. */
export interface Verdict {
  readonly text: string
  readonly limit: number
  readonly atLeast: boolean
  /** Null when the run did not measure it. */
  readonly measured: number | null
  readonly met: boolean
}

/** The figures to reach, each with what was measured. */
export function renderVerdicts(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map((verdict) => [
    verdict.text,
    `${verdict.atLeast ? '>=' : '<='} ${verdict.limit}`,
    verdict.measured?.toFixed(2) ?? '-',
    verdict.met ? 'met' : 'MISSED',
  ])
  return renderTable(['figure', 'limit', 'measured', ''], lines)
}

/** 12345 as `12.3 k`. */
export function formatRate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M`
  if (perSecond >= 1e5) return `${(perSecond / 1e3).toFixed(0)} k`
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(1)} k`
  return perSecond.toFixed(0)
}

/** A Markdown table with aligned columns. */
export function renderTable(
  head: readonly string[],
  lines: readonly (readonly string[])[],
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  )
  const render = (cells: readonly string[]): string =>
    `| ${cells.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`
  return [render(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`]
    .concat(lines.map(render))
    .join('\n')
}
