/**
 * What others took of the processors while something was measured: programs beside it, and a host.
 *
 * /proc/stat counts the time of all programs in user mode, and what the host has stolen; what the process itself and
 * the children that it has waited for have used goes off.
 * Time in the kernel is left out: its threads write back what the measured process has written.
 */
import fs from 'node:fs'

/** Of /proc/stat: a hundredth of a second on all Linux that Node runs on. */
const TICK_SECONDS = 0.01
/** Of /proc/self/stat (proc(5)): the time in user mode of children that were waited for, and of theirs. */
const CHILDREN_USER_FIELD = 16
/** More of a core than this has disturbed the measurement. Clocks of that grain are off by less in 0.2 s. */
const DISTURBED_CORES = 0.1

/** What the mark at a figure means. */
export const DISTURBED = 'disturbed by other programs or by the host'

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

/**
 * Measures, and once more if that was disturbed and there is time; what is disturbed then, too, stays.
 * @param measure in children of this process, which have ended when it settles
 * @returns what was found, and the cores that others used if those were too many
 */
export async function measureUndisturbed<Found>(
  name: string,
  measure: () => Promise<Found>,
  canRepeat: (seconds: number) => boolean,
): Promise<{ readonly found: Found; readonly otherCores: number | null }> {
  for (let again = true; ; again = false) {
    const other = new OtherLoad()
    const startedAt = performance.now()
    const found = await measure()
    const otherCores = other.cores()
    if (!isDisturbed(otherCores)) return { found, otherCores: null }
    if (!again || !canRepeat((performance.now() - startedAt) / 1000)) return { found, otherCores }
    console.error(`disturbed by other load, once more: ${name}`)
  }
}

function ownUserSeconds(): number {
  return process.cpuUsage().user / 1e6 + childrensUserSeconds()
}

function childrensUserSeconds(): number {
  if (!fs.existsSync('/proc/self/stat')) return 0
  const text = fs.readFileSync('/proc/self/stat', 'latin1')
  // The name of the program, in brackets, may hold anything; behind it come the fields from the third one on.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return Number(fields[CHILDREN_USER_FIELD - 3]) * TICK_SECONDS
}

/** User, nice and stolen time of all processors since the machine started. */
function readUserSeconds(): number | null {
  if (!fs.existsSync('/proc/stat')) return null
  const [line = ''] = fs.readFileSync('/proc/stat', 'latin1').split('\n', 1)
  const [, user, nice, , , , , , steal] = line.split(/\s+/)
  return (Number(user) + Number(nice) + Number(steal)) * TICK_SECONDS
}
