/**
 * Standard output: waits for a slow reader, ends quietly when the reader is gone, and knows what a terminal can show.
 *
 * A regular file is written by hand: Node's stream for files takes a part that was written for the whole, so
 * that a full disk would cut the output off without a word.
 */
import fs from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { styleText } from 'node:util'
import { toJson } from './escape.ts'
import { InterruptedError, systemErrorCode } from './exit-code.ts'

const STDOUT = 1
const COLUMNS_STANDARD = 80
const COLUMNS_MIN = 20
/** Longer lines are hard to read. */
const HELP_COLUMNS_MAX = 100
const WRITE_BYTES_MAX = 1024 * 1024

export type Style = Parameters<typeof styleText>[0]

export class Output {
  /** Whether a person looks at it. */
  readonly isTerminal: boolean = process.stdout.isTTY === true
  readonly #isFile: boolean = !this.isTerminal && isFileOrDevice()
  readonly #hasColour: boolean = this.isTerminal && mayColour(process.env)
  readonly #signal: AbortSignal
  #isClosed = false

  constructor(signal: AbortSignal) {
    this.#signal = signal
    // The callbacks of the writes say so, too; without a listener it would be an uncaught exception.
    process.stdout.on('error', (error) => {
      this.#isClosed ||= systemErrorCode(error) === 'EPIPE'
    })
  }

  /** The reader has seen enough: nothing more needs to be made. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Columns of the terminal; what COLUMNS says, or 80, where there is none. */
  get columns(): number {
    return columnsOf(process.stdout)
  }

  /** A text in colour, if the terminal has colours. Colour is never the only sign of anything. */
  style(format: Style, text: string): string {
    // The decision is ours: Node's own would hide colours from a terminal where CI is set.
    return this.#hasColour && text !== ''
      ? styleText(format, text, { validateStream: false })
      : text
  }

  /** One line of JSON. */
  json(value: object): Promise<void> {
    return this.write(`${toJson(value)}\n`)
  }

  /** Resolves when the system has taken it, or nobody wants it any more. @throws InterruptedError */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#isClosed || data.length === 0) return
    this.#checkInterrupted()
    try {
      if (this.#isFile) await this.#writeFile(typeof data === 'string' ? Buffer.from(data) : data)
      else await this.#writeStream(data)
    } catch (error) {
      if (systemErrorCode(error) !== 'EPIPE') throw error
      this.#isClosed = true
    }
  }

  async #writeFile(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      at += fs.writeSync(STDOUT, bytes, at, Math.min(bytes.length - at, WRITE_BYTES_MAX))
      if (at === bytes.length) return
      await nextTurn()
      this.#checkInterrupted()
    }
  }

  #writeStream(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(new InterruptedError('interrupted'))
      this.#signal.addEventListener('abort', onAbort, { once: true })
      process.stdout.write(data, (error) => {
        this.#signal.removeEventListener('abort', onAbort)
        if (error) reject(error)
        else resolve()
      })
    })
  }

  #checkInterrupted(): void {
    if (this.#signal.aborted) throw new InterruptedError('interrupted')
  }
}

/** NO_COLOR (no-color.org): present and not empty. */
function mayColour({ NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  return (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb'
}

export function columnsOf(stream: { readonly columns?: number }): number {
  const given = Number(process.env['COLUMNS'])
  const columns = stream.columns || (Number.isSafeInteger(given) && given > 0 ? given : 0)
  return Math.max(COLUMNS_MIN, columns || COLUMNS_STANDARD)
}

/** The width of --help. */
export function helpColumns(): number {
  return Math.min(columnsOf(process.stdout), HELP_COLUMNS_MAX)
}

function isFileOrDevice(): boolean {
  const stat = fs.fstatSync(STDOUT)
  return stat.isFile() || stat.isCharacterDevice() || stat.isBlockDevice()
}
