/** The command line of a process, as the system shows it to everybody. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'

/** @returns undefined if there is no such process, or no way to ask */
export function commandOf(pid: number | undefined): string | undefined {
  if (pid === undefined) return undefined
  try {
    if (process.platform === 'linux') {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words.join(' ').trim() || undefined
    }
    if (process.platform === 'win32') return undefined
    const words = ['-p', `${pid}`, '-o', 'command=']
    return execFileSync('ps', words, { encoding: 'utf8', timeout: 1000 }).trim() || undefined
  } catch {
    // It has ended.
    return undefined
  }
}
