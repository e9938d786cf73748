/** How the wisc command ends: its exit codes, and what it says about an error. docs/command.md lists them. */
import { CorruptionError, IoError, WiscError, type WiscErrorCode } from '../../lib/index.ts'
import { escapeText, quoteKey } from './escape.ts'

export const EXIT_CODE = {
  fine: 0,
  notFound: 1,
  usage: 2,
  locked: 3,
  corruption: 4,
  /** Input and output, a full disk, and everything else. */
  io: 5,
  interrupted: 130,
} as const

const SALVAGE_HINT =
  'wisc: hint: wisc salvage PATH TARGET builds a new store from all that can still be read'

/** A call of the command that makes no sense as it is. */
export class UsageError extends Error {}

/** The key that was asked for has no value. Its message is escaped already: a key need not be text. */
export class KeyNotFoundError extends Error {
  constructor(key: Uint8Array) {
    super(`key not found: ${quoteKey(key)}`)
  }
}

/** Another process changes the store, and what was asked for cannot be had beside it. */
export class InUseError extends Error {}

/** The user has asked to stop. */
export class InterruptedError extends Error {}

const EXIT_CODE_OF: Readonly<Record<WiscErrorCode, number>> = {
  WISC_NO_STORE: EXIT_CODE.usage,
  WISC_EXISTS: EXIT_CODE.usage,
  WISC_INVALID_ARGUMENT: EXIT_CODE.usage,
  WISC_LOCKED: EXIT_CODE.locked,
  WISC_CORRUPTION: EXIT_CODE.corruption,
  WISC_FORMAT_VERSION: EXIT_CODE.corruption,
  // Nothing is damaged: this machine, or this version, lacks something.
  WISC_CODEC_UNAVAILABLE: EXIT_CODE.io,
  // The only one who aborts is the user.
  WISC_ABORTED: EXIT_CODE.interrupted,
  WISC_NOT_OPEN: EXIT_CODE.io,
  WISC_READ_ONLY: EXIT_CODE.io,
  WISC_IO: EXIT_CODE.io,
  WISC_STALE: EXIT_CODE.io,
  WISC_CONFLICT: EXIT_CODE.io,
  WISC_DISK_FULL: EXIT_CODE.io,
  WISC_SYNC_FAILED: EXIT_CODE.io,
  WISC_INTERNAL: EXIT_CODE.io,
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_CODE.usage
  if (error instanceof KeyNotFoundError) return EXIT_CODE.notFound
  if (error instanceof InUseError) return EXIT_CODE.locked
  if (error instanceof InterruptedError) return EXIT_CODE.interrupted
  return error instanceof WiscError ? EXIT_CODE_OF[error.code] : EXIT_CODE.io
}

/** The system's name of an error of a system call, such as ENOENT. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** A name for programs: a code of the store, a name of the system, or one of the command's own. */
function codeOf(error: unknown): string {
  if (error instanceof WiscError) return error.code
  if (error instanceof UsageError) return 'USAGE'
  if (error instanceof KeyNotFoundError) return 'KEY_NOT_FOUND'
  if (error instanceof InUseError) return 'IN_USE'
  if (error instanceof InterruptedError) return 'INTERRUPTED'
  return systemErrorCode(error) ?? 'UNEXPECTED'
}

/** Of package.json: whose bugs these are, and where they are reported, once the project has an address. */
export interface Program {
  readonly version: string
  readonly bugs?: { readonly url: string }
}

/** One line about an error; behind it what helps against damage, or of a bug the place in the code. */
export function messageOf(error: unknown, { version, bugs }: Program): string {
  const text = sentenceOf(error)
  if (error instanceof WiscError && error.code === 'WISC_CORRUPTION')
    return `${text}\n${SALVAGE_HINT}`
  const isBug = ['WISC_INTERNAL', 'UNEXPECTED'].includes(codeOf(error))
  if (!isBug || !(error instanceof Error)) return text
  const cause = error.cause instanceof Error ? error.cause : error
  const stack = (cause.stack ?? cause.message).split('\n').map(escapeText)
  const place = bugs === undefined ? '' : ` at ${bugs.url}`
  const what = `a bug of wisc ${version} (Node ${process.versions.node}, ${process.platform})`
  return `${text}; this is ${what}, please report it${place}\n${stack.join('\n')}`
}

/** One line about an error. What it names cannot control the terminal. */
function sentenceOf(error: unknown): string {
  if (error instanceof KeyNotFoundError) return error.message
  if (error instanceof WiscError) {
    return `${escapeText(inCommandWords(error.message))} (${error.code})`
  }
  return escapeText(error instanceof Error ? error.message : String(error))
}

/** The line that stands on standard error in place of the sentence when JSON was asked for. */
export function errorReport(error: unknown): object {
  const place =
    error instanceof CorruptionError
      ? { file: error.file, offset: error.offset }
      : error instanceof IoError
        ? { path: error.path, errno: error.errno }
        : {}
  const text = error instanceof Error ? error.message : String(error)
  const message = error instanceof WiscError ? inCommandWords(text) : text
  return { error: { code: codeOf(error), message, exitCode: exitCodeOf(error), ...place } }
}

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
function inCommandWords(message: string): string {
  const text = message.replaceAll(ADVICE, (advice) =>
    advice.includes('free space') ? ': free space' : '',
  )
  return OPTIONS.reduce(
    (words, [name, option]) => words.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), option),
    text,
  )
}
