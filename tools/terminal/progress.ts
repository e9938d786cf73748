/** Progress on standard error: one line, drawn only on a terminal, taken away before anything else is printed. */
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { columnsOf } from './output.ts'
import { fitText } from './text-width.ts'
import { formatBytes } from './units.ts'

const DRAW_EVERY_MS = 100
const TURN_MS = 20
const BAR_CELLS_MAX = 30
/** Label, brackets, percent and the last column, which stays empty so that no terminal goes to a new line. */
const BESIDE_BAR = 20
const LABEL_COLUMNS = 10

export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #isShown: boolean
  #label = ''
  #total = 0
  #unit: 'bytes' | undefined
  #done = 0
  #startedAt = 0
  #drawnAt = 0
  #turnedAt = performance.now()
  #isDrawn = false

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
    this.#isShown = stream.isTTY === true && process.env['TERM'] !== 'dumb'
  }

  /**
   * Begins a bar of `total` units: bytes, files, whatever is counted; 0 if nobody knows.
   * @param unit of bytes the bar shows the rate, and the time that is left
   */
  start(label: string, total: number, unit?: 'bytes'): void {
    this.#label = label
    this.#total = total
    this.#unit = unit
    this.#done = 0
    this.#drawnAt = 0
    this.#startedAt = performance.now()
  }

  /** Counts, draws now and then, and lets the event loop turn, so that signals arrive. */
  async advance(units: number): Promise<void> {
    this.reach(this.#done + units)
    const now = performance.now()
    if (now - this.#turnedAt < TURN_MS) return
    await setImmediate()
    this.#turnedAt = performance.now()
  }

  /** So much is done by now. */
  reach(done: number): void {
    this.#done = done
    this.#drawSometimes(() => this.#bar())
  }

  /** A text in place of a bar, for work whose end is not known. */
  note(text: string): void {
    this.#drawSometimes(() => text)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#isDrawn) this.#stream.write('\r\x1b[K')
    this.#isDrawn = false
  }

  /** Says something to the user that is no result; it stays. */
  say(text: string): void {
    this.clear()
    this.#stream.write(`wisc: ${text}\n`)
  }

  #drawSometimes(text: () => string): void {
    const now = performance.now()
    if (!this.#isShown || now - this.#drawnAt < DRAW_EVERY_MS) return
    this.#drawnAt = now
    this.#isDrawn = true
    this.#stream.write(`\r${fitText(text(), columnsOf(this.#stream) - 1)}\x1b[K`)
  }

  #bar(): string {
    const pace = this.#unit === 'bytes' ? this.#pace() : ''
    if (pace !== '' && this.#total === 0)
      return `${this.#label.padEnd(LABEL_COLUMNS)} ${formatBytes(this.#done, false)}${pace}`
    const columns = columnsOf(this.#stream) - BESIDE_BAR - pace.length
    const cells = Math.max(0, Math.min(BAR_CELLS_MAX, columns))
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total)
    const bar = '#'.repeat(Math.round(share * cells)).padEnd(cells, '.')
    const percent = `${Math.floor(share * 100)}`.padStart(3)
    return `${this.#label.padEnd(LABEL_COLUMNS)} [${bar}] ${percent}%${pace}`
  }

  /** Such as `  123.4 MiB/s  0:07 left`. */
  #pace(): string {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const rate = this.#done / Math.max(seconds, 0.001)
    const left = this.#total > this.#done && rate > 0 ? (this.#total - this.#done) / rate : 0
    const text = `  ${formatBytes(Math.round(rate), false)}/s`
    if (left === 0) return text
    const minutes = Math.floor(Math.ceil(left) / 60)
    return `${text}  ${minutes}:${String(Math.ceil(left) % 60).padStart(2, '0')} left`
  }
}
