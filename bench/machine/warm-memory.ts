/**
 * Keeps the machine's free memory warm while a benchmark runs (`--warm`): builds and feeds warm-memory.c.
 *
 * On virtual machines the first touch of a page that the host took back costs some fifty times
 * a warm one, and every figure that grows the page cache measures that instead of the engine.
 * Linux, root and gcc are needed; elsewhere the benchmark runs as it is, and its report says so.
 * Do not run it beside anything that needs much memory: it holds almost all that is free, and
 * gives it back on demand.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** From dist/bench/machine, where this file runs, to the source that is not compiled by tsc. */
const SOURCE = fileURLToPath(new URL('../../../bench/machine/warm-memory.c', import.meta.url))
/** Shares of the available memory: the kernel's defaults for its limits of dirty pages. */
const DIRTY_LIMITS = [
  ['dirty', 0.2],
  ['dirty_background', 0.1],
] as const

/** The running helper. Stop it before the process ends; its exit handler does so in any case. */
export class WarmMemory {
  readonly #feeder: ChildProcess
  readonly #restores: (() => void)[]
  readonly #stop = (): void => this.stop()

  private constructor(feeder: ChildProcess, restores: (() => void)[]) {
    this.#feeder = feeder
    this.#restores = restores
    process.on('exit', this.#stop)
  }

  /** Starts the helper. @returns undefined, with a line to the console, where it cannot run */
  static async start(): Promise<WarmMemory | undefined> {
    const binary = build()
    if (binary === undefined) {
      console.error('--warm needs Linux, root and gcc: running without it')
      return undefined
    }
    const restores = pinDirtyLimits()
    const feeder = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] })
    restores.push(() => fs.rmSync(path.dirname(binary), { recursive: true }))
    const warm = new WarmMemory(feeder, restores)
    await warm.recycle()
    return warm
  }

  /** Makes the next allocations warm ones: before every child. */
  recycle(): Promise<void> {
    const { stdin, stdout } = this.#feeder
    if (stdin === null || stdout === null) throw new Error('the helper has no pipes')
    return new Promise((resolve, reject) => {
      this.#feeder.once('error', reject)
      stdout.once('data', () => {
        this.#feeder.off('error', reject)
        resolve()
      })
      stdin.write('w\n')
    })
  }

  /** Gives the memory back and restores the limits; a second call does nothing. */
  stop(): void {
    process.off('exit', this.#stop)
    this.#feeder.stdin?.end()
    for (const restore of this.#restores.splice(0)) restore()
  }
}

function build(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'warm-memory-'))
  const binary = path.join(folder, 'warm-memory')
  const built = spawnSync('gcc', ['-O2', '-o', binary, SOURCE], { stdio: 'inherit' })
  if (built.status === 0) return binary
  fs.rmSync(folder, { recursive: true })
  return undefined
}

/**
 * With most memory held, the kernel's limits of dirty pages (shares of what is available) would shrink, and
 * writers would be throttled: pins them to today's bytes.
 */
function pinDirtyLimits(): (() => void)[] {
  const restores: (() => void)[] = []
  const match = /MemAvailable:\s+(\d+)/.exec(fs.readFileSync('/proc/meminfo', 'latin1'))
  const available = Number(match?.[1] ?? 0) * 1024
  for (const [kind, share] of DIRTY_LIMITS) {
    const file = (limit: string): string => `/proc/sys/vm/${kind}_${limit}`
    const ratio = fs.readFileSync(file('ratio'), 'latin1')
    const bytes = fs.readFileSync(file('bytes'), 'latin1')
    try {
      fs.writeFileSync(file('bytes'), String(Math.floor(available * share)))
    } catch (error) {
      console.error('the limits of dirty pages stay as they are:', error)
      continue
    }
    restores.push(() => {
      if (Number(ratio) > 0) fs.writeFileSync(file('ratio'), ratio)
      else fs.writeFileSync(file('bytes'), bytes)
    })
  }
  return restores
}
