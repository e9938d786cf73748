/**
 * The words of the command line, as they were typed.
 *
 * yargs lets a switch swallow a `true` or `false` behind it, and knows `--` only half: it does not give the words
 * behind it to a verb. A key may be any of these. Such words carry a mark on their way through yargs. A NUL cannot be
 * part of a word, so it is never one of theirs.
 */
const MARK = '\0'

/** Nothing is guessed from the look of a word. */
export const PARSER = {
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'dot-notation': false,
  'duplicate-arguments-array': false,
  'boolean-negation': false,
} as const

/** How the script that `wisc completion` prints asks for words. */
const COMPLETION = '--get-yargs-completions'

/** Marks what yargs would change; behind `--`, everything. */
export function protectWords(words: readonly string[]): string[] {
  // Nothing is run then, and `--` is where somebody wants the names of options.
  if (words[0] === COMPLETION) return [...words]
  const end = words.indexOf('--')
  const before = end < 0 ? words : words.slice(0, end)
  const behind = end < 0 ? [] : words.slice(end + 1)
  return [...before.map(protectWord), ...behind.map((word) => MARK + word)]
}

function protectWord(word: string): string {
  return word === 'true' || word === 'false' ? MARK + word : word
}

/** The word or message as it would be without marks. */
export function restoreText(text: string): string {
  return text.replaceAll(MARK, '')
}

/** Takes the marks off again, in place. */
export function restoreWords(given: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'string') given[name] = restoreText(value)
  }
}
