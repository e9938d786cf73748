/** A terminal that shows one changing picture and listens to keys; afterwards it is as it was, whatever happens. */
import fs from 'node:fs'
import { fitText } from './text-width.ts'

const STDOUT = 1
const ROWS_STANDARD = 24
/** The other screen, without a cursor; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

export class LiveScreen {
  readonly #onKey: (key: string) => void
  #isOpen = false

  /** @param onKey is called with what is typed; Ctrl-C is a key here, and sends no signal */
  constructor(onKey: (key: string) => void) {
    this.#onKey = onKey
  }

  open(): void {
    this.#isOpen = true
    // Also when something ends the process at once.
    process.on('exit', this.#restore)
    process.stdout.write(ENTER)
    if (!process.stdin.isTTY) return
    process.stdin.setRawMode(true)
    process.stdin.setEncoding('utf8')
    process.stdin.on('data', this.#hear)
  }

  /** Shows lines, as many as fit; each is cut where the terminal ends. */
  draw(lines: readonly string[], columns: number): void {
    const rows = process.stdout.rows || ROWS_STANDARD
    const shown = lines.slice(0, rows).map((line) => fitText(line, columns) + CLEAR_LINE)
    process.stdout.write(`${HOME}${shown.join('\r\n')}${CLEAR_BELOW}`)
  }

  close(): void {
    process.off('exit', this.#restore)
    process.stdin.off('data', this.#hear)
    this.#restore()
    process.stdin.pause()
  }

  readonly #hear = (text: string | Buffer): void => {
    for (const key of text.toString()) this.#onKey(key)
  }

  readonly #restore = (): void => {
    if (!this.#isOpen) return
    this.#isOpen = false
    try {
      if (process.stdin.isTTY) process.stdin.setRawMode(false)
      fs.writeSync(STDOUT, LEAVE)
    } catch (error) {
      // A terminal that has hung up shows nothing any more.
      if (!(error instanceof Error) || !('code' in error)) throw error
    }
  }
}
