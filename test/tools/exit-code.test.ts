/** How the command ends, and what it says of a bug of ours: whose it is, where it happened, where to report it. */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/index.js'
import { exitCodeOf, messageOf } from '#dist/tools/terminal/exit-code.js'

const WHO = `a bug of wisc 9.8.7 (Node ${process.versions.node}, ${process.platform})`

test.each([
  [undefined, `boom; this is ${WHO}, please report it`],
  [
    { url: 'https://bugs.example' },
    `boom; this is ${WHO}, please report it at https://bugs.example`,
  ],
])('a bug, reported at %j', (bugs, line) => {
  const error = new Error('boom')
  const [first, second] = messageOf(error, { version: '9.8.7', ...(bugs && { bugs }) }).split('\n')
  expect(first).toBe(line)
  expect(second).toBe('Error: boom')
})

test.each([
  ['WISC_CORRUPTION', 4],
  ['WISC_FORMAT_VERSION', 4],
  // A machine that lacks Zstandard has no damaged store.
  ['WISC_CODEC_UNAVAILABLE', 5],
  ['WISC_IO', 5],
] as const)('%s has exit code %i', (code, expected) => {
  expect(exitCodeOf(new WiscError(code, 'for the test'))).toBe(expected)
})
