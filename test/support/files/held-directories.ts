/** The directories that the fault-injecting file system has open. */
import { IoError } from '#dist/lib/base/errors.js'
import type { HeldDirectory } from '#dist/lib/base/files/file-system.js'
import type { Fault } from './fault-calls.ts'

export class HeldDirectories {
  readonly #holders: Map<string, number> = new Map()
  readonly #opening: (path: string) => Fault | undefined
  readonly #counted: (count: number) => void

  /** @param opening may refuse to open a directory that is not open; `counted` hears of each that opens and closes */
  constructor(opening: (path: string) => Fault | undefined, counted: (count: number) => void) {
    this.#opening = opening
    this.#counted = counted
  }

  hold(path: string): HeldDirectory {
    const holders = this.#holders.get(path) ?? 0
    if (holders === 0) {
      const fault = this.#opening(path)
      if (fault) throw new IoError('open', path, fault.errno)
      this.#counted(1)
    }
    this.#holders.set(path, holders + 1)
    let released = false
    return {
      release: () => {
        if (released) return
        released = true
        const left = this.#holders.get(path)! - 1
        this.#holders.set(path, left)
        if (left === 0) this.#counted(-1)
      },
    }
  }
}
