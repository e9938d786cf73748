/** Files of the log as an edit adds them, for tests of versions: their place in the log is their number, as a rule. */
import type { AddedFile } from '#dist/lib/tree/version/version-edit.js'

export function logFile(
  number: number,
  salt: number = number,
  ordinal: number = number,
): AddedFile {
  return { role: 'log', number, salt, ordinal }
}
