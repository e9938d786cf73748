/** The word that somebody may have meant. */

/** A slip for each three letters, at most. */
const LETTERS_PER_SLIP = 3

/** The known word that is nearest to a mistyped one, if any is near. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestSlips = Math.max(1, Math.floor(word.length / LETTERS_PER_SLIP)) + 1
  for (const each of known) {
    const slips = slipsBetween(word.toLowerCase(), each)
    if (slips >= bestSlips) continue
    best = each
    bestSlips = slips
  }
  return best
}

/** Letters that are missing, too many or wrong, and neighbours that changed places (Damerau-Levenshtein). */
function slipsBetween(left: string, right: string): number {
  let before: number[] = []
  let row = Array.from({ length: right.length + 1 }, (_, at) => at)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const wrong = left[i - 1] === right[j - 1] ? 0 : 1
      let slips = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + wrong)
      const areSwapped =
        i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]
      if (areSwapped) slips = Math.min(slips, before[j - 2]! + 1)
      next.push(slips)
    }
    before = row
    row = next
  }
  return row.at(-1)!
}
