/** What the store says to programmers, for people at a shell: its options are those of the command there. */

/** Names in a message of the store, and what stands for them on the command line. */
const OPTIONS: readonly (readonly [name: string, option: string])[] = [
  ['targetSpaceAmplification', '--target-amp'],
  ['maxCopyBytes', '--max-copy'],
  ['bytesPerSecond', '--rate'],
  ['valueThreshold', '--value-threshold'],
  ['createIfMissing', '--create'],
]
/** What the command cannot do differently. */
const ADVICE = /[,:]?(?: free space,)? or open with readOnly\b/g

/** A message of the store without the names of its API. */
export function inCommandWords(message: string): string {
  const text = message.replaceAll(ADVICE, (advice) =>
    advice.includes('free space') ? ': free space' : '',
  )
  return OPTIONS.reduce(
    (words, [name, option]) => words.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), option),
    text,
  )
}
