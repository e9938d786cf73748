/** What is wrong with a command line, in one line: yargs' own messages, in the words of the verb that was meant. */
import type { Verb } from './verb.ts'

/** @param verbs those that were loaded: one if the words begin with a verb, else all */
export function usageMessage(
  message: string,
  words: readonly string[],
  verbs: readonly Verb[],
): string {
  const verb = verbs.length === 1 ? verbs[0] : undefined
  const name = verb?.usage.split(' ')[0]
  const [first = '-'] = words
  const isNoVerb = !verb && !first.startsWith('-')
  const sentence = isNoVerb ? `unknown verb: ${first}` : inOurWords(message, verb)
  return `${sentence}; see wisc ${name === undefined ? '' : `${name} `}--help`
}

function inOurWords(message: string, verb: Verb | undefined): string {
  const tooFew = /^Not enough non-option arguments: got (\d+), need at least \d+$/.exec(message)
  if (tooFew && verb) return `missing ${missingWords(verb, Number(tooFew[1]))}`
  const choice = /^Invalid values:\s+Argument: (\S+), Given: (.*), Choices: (.*)$/s.exec(message)
  if (choice) {
    const [, option, given, choices] = choice as unknown as [string, string, string, string]
    return `--${option} must be one of ${choices.replaceAll('"', '')}: ${given.replaceAll('"', '')}`
  }
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)
  if (unknown) return unknownWords(unknown[1]!.split(', '))
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

function unknownWords(words: readonly string[]): string {
  const names = optionNames(words).map((name) => name.slice(2))
  return `unknown argument${names.length === 1 ? '' : 's'}: ${names.join(', ')}`
}
