/**
 * What others took of the processors while something was measured: programs beside it, and a host.
 *
 * /proc/stat counts the time of all programs in user mode, and what the host has stolen; the process's own goes off.
 * Time in the kernel is left out: its threads write back what the measured process has written.
 */
import fs from 'node:fs'

/** Of /proc/stat: a hundredth of a second on all Linux that Node runs on. */
const TICK_SECONDS = 0.01
/** More of a core than this has disturbed the measurement. Clocks of that grain are off by less in 0.2 s. */
const DISTURBED_CORES = 0.1

export class OtherLoad {
  readonly #before: number | null = readUserSeconds()
  readonly #ownBefore: number = ownUserSeconds()
  readonly #startedAt: number = performance.now()

  /** Cores that others used on average since this was made; null where the platform does not tell. */
  cores(): number | null {
    const after = readUserSeconds()
    if (after === null || this.#before === null) return null
    const others = after - this.#before - (ownUserSeconds() - this.#ownBefore)
    return Math.max(0, others / ((performance.now() - this.#startedAt) / 1000))
  }
}

/** Whether a reading is to be made again. */
export function isDisturbed(otherCores: number | null): boolean {
  return otherCores !== null && otherCores > DISTURBED_CORES
}

function ownUserSeconds(): number {
  return process.cpuUsage().user / 1e6
}

/** User, nice and stolen time of all processors since the machine started. */
function readUserSeconds(): number | null {
  if (!fs.existsSync('/proc/stat')) return null
  const [line = ''] = fs.readFileSync('/proc/stat', 'latin1').split('\n', 1)
  const [, user, nice, , , , , , steal] = line.split(/\s+/)
  return (Number(user) + Number(nice) + Number(steal)) * TICK_SECONDS
}
