/** A progress bar on standard error, drawn only on a terminal. */
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'

const DRAW_EVERY_MS = 100
const TURN_MS = 20
const BAR_CELLS = 30

export class Progress {
  readonly #isShown: boolean
  #label = ''
  #bytesTotal = 0
  #bytesDone = 0
  #drawnAt = 0
  #turnedAt = performance.now()

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#isShown = stream.isTTY === true && process.env['TERM'] !== 'dumb'
  }

  start(label: string, bytesTotal: number): void {
    this.#label = label
    this.#bytesTotal = bytesTotal
    this.#bytesDone = 0
    this.#drawnAt = 0
  }

  /** Counts, draws now and then, and lets the event loop turn, so that signals arrive. */
  async advance(bytes: number): Promise<void> {
    this.#bytesDone += bytes
    const now = performance.now()
    if (this.#isShown && now - this.#drawnAt >= DRAW_EVERY_MS) {
      this.#drawnAt = now
      this.#draw()
    }
    if (now - this.#turnedAt < TURN_MS) return
    await setImmediate()
    this.#turnedAt = performance.now()
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[K')
  }

  #draw(): void {
    const share = this.#bytesTotal === 0 ? 1 : Math.min(1, this.#bytesDone / this.#bytesTotal)
    const bar = '#'.repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS, '.')
    const percent = `${Math.floor(share * 100)}`.padStart(3)
    process.stderr.write(`\r${this.#label.padEnd(10)} [${bar}] ${percent}%\x1b[K`)
  }
}
