/** A real terminal to look at and to type into: a tmux of its own, which the end of the test takes away. */
import { execFileSync, spawnSync } from 'node:child_process'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../files/temporary-directory.ts'

export function hasTmux(): boolean {
  return spawnSync('tmux', ['-V']).status === 0
}

export interface Terminal {
  /** What is on the screen. */
  screen(): string
  /** Names of keys, such as `q` and `C-c`. */
  press(...keys: string[]): void
  resize(columns: number, rows: number): void
  /** Waits until the screen has this on it. @returns the screen */
  until(what: RegExp): Promise<string>
}

const PATIENCE_MS = 600_000

/** Runs a command line of a shell in a new terminal; the shell stays when it has ended. */
export function startTerminal(commandLine: string, columns: number, rows: number): Terminal {
  const socket = path.join(temporaryDirectory(), 'tmux')
  const run = (...words: string[]): string =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...words], { encoding: 'utf8' })
  const size = ['-x', `${columns}`, '-y', `${rows}`]
  run('new-session', '-d', ...size, 'env', 'PS1=$ ', 'ENV=', 'sh')
  onTestFinished(() => {
    run('kill-server')
  })
  run('send-keys', '-l', commandLine)
  run('send-keys', 'Enter')
  const screen = (): string => run('capture-pane', '-p')
  return {
    screen,
    press: (...keys) => {
      run('send-keys', ...keys)
    },
    resize: (width, height) => {
      run('resize-window', '-x', `${width}`, '-y', `${height}`)
    },
    until: async (what) => {
      const end = performance.now() + PATIENCE_MS
      while (!what.test(screen())) {
        if (performance.now() > end) throw new Error(`${what} has not come:\n${screen()}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      return screen()
    },
  }
}
