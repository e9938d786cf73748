/**
 * flock(2), where the package of native locks has no binary (Alpine, for one): through the command of that name, which
 * locks an open file description that it inherits. The lock stays with our descriptor when the command has ended, and
 * the kernel drops it with the process, also on kill -9 and in another container on the same machine.
 */
import fs from 'node:fs'
import { requireDescriptors } from './node-descriptors.ts'

/**
 * Tries to lock an open file exclusively.
 * @returns true: held until the descriptor is closed; false: another has it; undefined: it cannot be asked for here
 */
export type TryFlock = (descriptor: number) => boolean | undefined

/** Of util-linux and of busybox. No other is looked for: a library runs nothing that PATH happens to name. */
const COMMANDS = ['/usr/bin/flock', '/bin/flock']
/** More than running it takes. */
const DESCRIPTORS_TO_RUN = 8
/** The number of the descriptor in the command, behind the three standard streams. */
const INHERITED = 3

export const tryFlock: TryFlock = (descriptor) => {
  if (process.platform !== 'linux') return undefined
  const command = COMMANDS.find((path) => fs.existsSync(path))
  if (command === undefined) return undefined
  // A command that has no descriptor to run with must not be taken for one that is not there.
  requireDescriptors(DESCRIPTORS_TO_RUN)
  // Loaded here: most stores never need it, and it takes some milliseconds.
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  try {
    const { status, stderr } = spawnSync(command, ['-n', '-x', String(INHERITED)], {
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
      env: {},
    })
    if (status === 0) return true
    // A file system without such locks ends with a message, and with busybox with the same status.
    return status === 1 && stderr.length === 0 ? false : undefined
  } catch {
    // Processes may be forbidden here, or there are too many: the text of the file decides.
    return undefined
  }
}
