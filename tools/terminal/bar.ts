/** Bars of plain characters, one for each kind of part, so that a bar says the same without colour. */

export interface BarPart {
  readonly amount: number
  /** One character of one column. */
  readonly sign: string
  /** Colours the part. */
  readonly paint?: (text: string) => string
}

/**
 * A bar of `cells` characters in the proportions of its parts. A part that is not empty has at least one cell, as
 * long as there are enough of them.
 */
export function formatBar(parts: readonly BarPart[], cells: number): string {
  const counts = shareOut(
    parts.map(({ amount }) => amount),
    cells,
  )
  return parts.map(({ sign, paint = asItIs }, index) => paint(sign.repeat(counts[index]!))).join('')
}

function asItIs(text: string): string {
  return text
}

/** Whole cells for amounts, `cells` in all: the floor, at least one for what is not empty; then the fairest. */
function shareOut(amounts: readonly number[], cells: number): number[] {
  const total = amounts.reduce((sum, amount) => sum + amount, 0)
  if (total === 0) return amounts.map(() => 0)
  const exact = amounts.map((amount) => (amount / total) * cells)
  const counts = exact.map((share) => (share > 0 ? Math.max(1, Math.floor(share)) : 0))
  const count = (): number => counts.reduce((sum, each) => sum + each, 0)
  const indexOfMost = (of: (index: number) => number): number =>
    counts.reduce((best, _, index) => (of(index) > of(best) ? index : best), 0)
  while (count() < cells) counts[indexOfMost((index) => exact[index]! - counts[index]!)]!++
  while (count() > cells) counts[indexOfMost((index) => counts[index]!)]!--
  return counts
}
