/** The part of --help beside the list of options: examples that can be copied as they stand. */

/** A command line and what it does. */
export type Example = readonly [commandLine: string, does: string]

const INDENT = '  '

/** One line each; what does not fit beside an example stands above it, as a comment of the shell. */
export function examplesText(examples: readonly Example[], columns: number): string {
  const lines = examples.flatMap(([commandLine, does]) => {
    const line = `${INDENT}${commandLine}  # ${does}`
    return line.length <= columns ? [line] : [`${INDENT}# ${does}`, `${INDENT}${commandLine}`]
  })
  return ['Examples:', ...lines].join('\n')
}

/**
 * `help`, `help VERB` and `VERB -h` ask for the same as `--help`.
 * @returns the words as the parser wants them
 */
export function helpWords(words: readonly string[]): readonly string[] {
  const [first, ...rest] = words
  if (first !== 'help') return words
  return rest.length === 0 ? ['--help'] : [...rest, '--help']
}
