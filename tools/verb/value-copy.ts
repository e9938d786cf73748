/**
 * A value of any length, to standard output: a MiB at a time, with a bar on a terminal.
 *
 * Its writer may remove files that are read meanwhile. Then the rest is read in a newer view, if the key has the value
 * still: a write has a sequence that no other one has.
 */
import { WiscError } from '../../lib/index.ts'
import { Attempts } from '../../lib/inspect/owner/views.ts'
import { InUseError, KeyNotFoundError } from '../terminal/exit-code.ts'
import type { VerbContext } from './verb.ts'
import { inspectStore } from './with-store.ts'

const READ_BYTES = 1024 * 1024

export interface WantedPart {
  readonly offset?: number
  readonly length?: number
}

/** @throws KeyNotFoundError, before anything is written */
export async function copyValue(
  path: string,
  key: Uint8Array,
  { offset = 0, length = Number.MAX_SAFE_INTEGER }: WantedPart,
  context: VerbContext,
): Promise<void> {
  const { output, progress } = context
  let attempts = new Attempts()
  let sequence: number | undefined
  let done = 0
  for (;;) {
    const before = done
    const error = await inspectStore(path, context, async (store) => {
      const stat = await store.stat(key)
      if (sequence !== undefined && stat?.sequence !== sequence) throw changed()
      const stream = await store.getStream(key, { offset: offset + done, length: length - done })
      if (stat === undefined || stream === undefined) throw new KeyNotFoundError(key)
      sequence = stat.sequence
      progress.start('read', Math.min(length, Math.max(0, stat.size - offset)), 'bytes')
      const reader = stream.getReader({ mode: 'byob' })
      try {
        for (let memory = new Uint8Array(READ_BYTES); !output.isClosed; ) {
          const { value, done: isDone } = await reader.read(memory)
          if (isDone) break
          await output.write(value)
          done += value.length
          progress.reach(done)
          memory = new Uint8Array(value.buffer)
        }
        return undefined
      } catch (error) {
        if (!(error instanceof WiscError) || error.code !== 'WISC_STALE') throw error
        return error
      } finally {
        await Promise.allSettled([reader.cancel()])
      }
    })
    if (error === undefined) return
    // An attempt that brought nothing must not be followed by ever more of them.
    if (done > before) attempts = new Attempts()
    attempts.again(error)
  }
}

function changed(): InUseError {
  return new InUseError(
    'the value was overwritten or deleted while it was read: what came is cut off',
  )
}
