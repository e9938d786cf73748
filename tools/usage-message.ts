/** What is wrong with a command line, in one line: yargs' own messages, in the words of the verb that was meant. */
import type { Verb } from './verb/verb.ts'
import { VERB_NAMES } from './verbs.ts'

export function unknownVerb(word: string): string {
  return `unknown verb: ${word}${suggestion(word, VERB_NAMES, '')}; see wisc --help`
}

/**
 * @param verbs those that were loaded: one if the words begin with a verb, else all
 * @param options names of the options that the verb knows
 */
export function usageMessage(
  message: string,
  verbs: readonly Verb[],
  options: readonly string[],
): string {
  const verb = verbs.length === 1 ? verbs[0] : undefined
  const name = verb?.usage.split(' ')[0]
  return `${inOurWords(message, verb, options)}; see wisc ${name === undefined ? '' : `${name} `}--help`
}

function inOurWords(message: string, verb: Verb | undefined, options: readonly string[]): string {
  const tooFew = /^Not enough non-option arguments: got (\d+), need at least \d+$/.exec(message)
  if (tooFew && verb) return `missing ${missingWords(verb, Number(tooFew[1]))}`
  const choice = /^Invalid values:\s+Argument: (\S+), Given: (.*), Choices: (.*)$/s.exec(message)
  if (choice) {
    const [, option, given, choices] = choice as unknown as [string, string, string, string]
    return `--${option} must be one of ${choices.replaceAll('"', '')}: ${given.replaceAll('"', '')}`
  }
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)
  if (unknown) return unknownWords(unknown[1]!.split(', '), options)
  const noValue = /^Not enough arguments following: (\S+)$/.exec(message)
  if (noValue) return `--${noValue[1]} needs a value`
  const needed = /^Missing required arguments?: (.*)$/.exec(message)
  if (needed) return `missing ${optionNames(needed[1]!.split(', ')).join(', ')}`
  return message
}

/** Of `get <path> <key>`, with one word given: KEY. */
function missingWords({ usage }: Verb, given: number): string {
  const names = [...usage.matchAll(/<([^>]+)>/g)].map(([, name]) => name!.toUpperCase())
  return names.slice(given).join(' ')
}

/** yargs names an option with dashes twice, as `max-copy` and as `maxCopy`. */
function optionNames(names: readonly string[]): string[] {
  const camelCase = (name: string): string =>
    name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())
  const twins = new Set(names.filter((name) => name.includes('-')).map(camelCase))
  return names.filter((name) => !twins.has(name)).map((name) => `--${name}`)
}

function unknownWords(words: readonly string[], options: readonly string[]): string {
  const names = optionNames(words).map((name) => name.slice(2))
  const sentence = `unknown argument${names.length === 1 ? '' : 's'}: ${names.join(', ')}`
  return names.length === 1 ? sentence + suggestion(names[0]!, options, '--') : sentence
}

function suggestion(word: string, known: readonly string[], prefix: string): string {
  const nearest = nearestWord(word, known)
  return nearest === undefined ? '' : `, did you mean ${prefix}${nearest}?`
}

/** A slip for each three letters, at most. */
const LETTERS_PER_SLIP = 3

/** The known word that is nearest to a mistyped one, if any is near. */
function nearestWord(word: string, known: readonly string[]): string | undefined {
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
