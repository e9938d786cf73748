/** The wisc command in a shell, for redirections, and in a terminal that `script` makes. */
import { spawnSync } from 'node:child_process'
import { WISC as FILE, PATIENCE } from './wisc-process.ts'

/** The command as words of a shell. */
export const WISC: string = [process.execPath, FILE].map((word) => `'${word}'`).join(' ')

interface ShellResult {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export function runShell(commandLine: string, env: NodeJS.ProcessEnv = {}): ShellResult {
  const { COLUMNS, NO_COLOR, ...own } = process.env
  const { status, stdout, stderr } = spawnSync('sh', ['-c', commandLine], {
    env: { ...own, ...PATIENCE, ...env },
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

/** Whether there is a `script` that takes a command (of util-linux). */
export function hasScript(): boolean {
  return (
    spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true
  )
}

/** Runs words of a shell in a terminal of so many columns. Its lines end with \r\n. */
export function runInTerminal(
  commandLine: string,
  columns: number,
  env: NodeJS.ProcessEnv = {},
  typed = '',
): ShellResult {
  const inner = `stty cols ${columns} rows 24; ${commandLine}`.replaceAll("'", "'\\''")
  const script = `script -qec '${inner}' /dev/null`
  return runShell(`printf '${typed}' | ${script}`, { TERM: 'xterm', ...env })
}
