/** How the wisc command ends: its exit codes, and what it says about an error. */
import { WiscError } from '../lib/index.ts'

export const EXIT_CODE = {
  fine: 0,
  unexpected: 1,
  usage: 2,
  corruption: 4,
  io: 5,
  interrupted: 130,
} as const

/** A call of the command that makes no sense as it is. */
export class UsageError extends Error {}

/** The user has asked to stop. */
export class InterruptedError extends Error {}

const USAGE_CODES: ReadonlySet<string> = new Set([
  'WISC_NO_STORE',
  'WISC_EXISTS',
  'WISC_INVALID_ARGUMENT',
  'WISC_LOCKED',
  'WISC_FORMAT_VERSION',
])
const IO_CODES: ReadonlySet<string> = new Set(['WISC_IO', 'WISC_DISK_FULL', 'WISC_SYNC_FAILED'])

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_CODE.usage
  if (error instanceof InterruptedError) return EXIT_CODE.interrupted
  if (error instanceof WiscError) {
    if (error.code === 'WISC_CORRUPTION') return EXIT_CODE.corruption
    if (USAGE_CODES.has(error.code)) return EXIT_CODE.usage
    return IO_CODES.has(error.code) ? EXIT_CODE.io : EXIT_CODE.unexpected
  }
  return systemErrorCode(error) === undefined ? EXIT_CODE.unexpected : EXIT_CODE.io
}

/** The system's name of an error of a system call, such as ENOENT. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** One line about an error; where it is none of ours, with the place in the code. */
export function messageOf(error: unknown): string {
  if (error instanceof WiscError) return `${error.message} (${error.code})`
  if (exitCodeOf(error) !== EXIT_CODE.unexpected) return (error as Error).message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
