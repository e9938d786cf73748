/**
 * A snapshot that the process which has a store open holds for the command, so that what is read from several views
 * of the files is the store at one moment.
 *
 * It costs that process garbage which it cannot give back; so it is held only while the command gets on. Whoever stands
 * still for a minute, as behind a pager, loses it.
 */

import { WiscError } from '../../lib/index.ts'
import { type ControlClient, SilentOwnerError } from '../../lib/inspect/owner/control-client.ts'
import { findOwner, patienceMs } from './owner.ts'
import type { VerbContext } from './verb.ts'

/** A process sends away who says nothing for a minute. */
const RENEW_MS = 15_000
/** It has answered before, and a scan would end for nothing if it is only busy. */
const PATIENCES = 10

export class HeldSnapshot {
  readonly sequence: number
  /** Before it was held: what expires later is seen. */
  readonly moment: number
  readonly #client: ControlClient
  readonly #timer: NodeJS.Timeout
  #isLost = false
  #hasMoved = false

  private constructor(client: ControlClient, sequence: number, moment: number) {
    this.#client = client
    this.moment = moment
    this.sequence = sequence
    this.#timer = setInterval(() => {
      if (this.#hasMoved) void this.isHeld()
      this.#hasMoved = false
    }, RENEW_MS).unref()
  }

  /** @returns why there is none: undefined if no process has the store open */
  static async take(
    path: string,
    context: VerbContext,
  ): Promise<HeldSnapshot | { readonly why: string | undefined }> {
    const owner = await findOwner(path, context)
    if (!owner?.client) return { why: owner?.silence }
    const { client } = owner
    try {
      const { signal } = context
      const moment = Date.now()
      const { sequence } = await client.ask('hold', { signal, patienceMs: patienceMs() })
      return new HeldSnapshot(client, sequence, moment)
    } catch (error) {
      client.close()
      if (context.signal.aborted || !(error instanceof WiscError)) throw error
      const says = error instanceof SilentOwnerError ? 'does not answer' : error.message
      return { why: `pid ${owner.pid ?? 'unknown'}: ${says}` }
    }
  }

  /** The command gets on. */
  moved(): void {
    this.#hasMoved = true
  }

  /** Asks whether it is held still; then it will be for another minute. */
  async isHeld(): Promise<boolean> {
    if (this.#isLost) return false
    try {
      const { sequence } = await this.#client.ask('hold', {
        patienceMs: PATIENCES * patienceMs(),
      })
      this.#isLost = sequence !== this.sequence
    } catch {
      // Hung up, closed, or stopped: it cannot be counted on any more.
      this.#isLost = true
    }
    return !this.#isLost
  }

  close(): void {
    clearInterval(this.#timer)
    this.#client.close()
  }
}
