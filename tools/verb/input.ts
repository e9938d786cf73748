/** Standard input: a value, piece by piece; or the answer to a question. */
import { once } from 'node:events'
import fs from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { InterruptedError, UsageError } from '../terminal/exit-code.ts'
import type { Progress } from '../terminal/progress.ts'

const STDIN = 0
const PIECE_BYTES = 1024 * 1024

/**
 * All bytes up to the end, in pieces that are valid until the next one is asked for. The bar knows the end of a file.
 * @throws InterruptedError
 */
export async function* inputPieces(
  signal: AbortSignal,
  progress: Progress,
): AsyncGenerator<Uint8Array, void> {
  const stat = fs.fstatSync(STDIN)
  // These may wait for ever, so this thread must not read them. As a stream anything else would be empty: a device
  // for blocks, or a directory, which cannot be read.
  const mayWait = stat.isFIFO() || stat.isSocket() || stat.isCharacterDevice()
  const pieces = mayWait ? streamPieces(signal) : filePieces()
  progress.start('write', stat.isFile() ? stat.size : 0, 'bytes')
  let done = 0
  for await (const piece of pieces) {
    checkInterrupted(signal)
    yield piece
    done += piece.length
    progress.reach(done)
  }
  // Ctrl-C ends whoever writes into the pipe as well. The end may be seen before the signal: then the bytes are cut
  // off. The second turn begins with another look for what has come.
  for (let turn = 0; turn < 2; turn++) await nextTurn()
  checkInterrupted(signal)
}

async function* filePieces(): AsyncGenerator<Uint8Array, void> {
  const memory = Buffer.allocUnsafeSlow(PIECE_BYTES)
  const read = promisify(fs.read)
  for (;;) {
    const { bytesRead } = await read(STDIN, memory, 0, PIECE_BYTES, null)
    if (bytesRead === 0) return
    yield memory.subarray(0, bytesRead)
  }
}

async function* streamPieces(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const onAbort = (): unknown => process.stdin.destroy(new InterruptedError('interrupted'))
  signal.addEventListener('abort', onAbort, { once: true })
  yield* process.stdin as AsyncIterable<Buffer>
  signal.removeEventListener('abort', onAbort)
}

function checkInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new InterruptedError('interrupted')
}

/** The option that goes with {@link confirm}. */
export const YES = {
  type: 'boolean',
  default: false,
  describe: 'Do not ask',
} as const

/**
 * Whether the user agrees. Asks on a terminal, unless --yes was given; elsewhere --yes is needed.
 * For verbs by which something is lost.
 * @param question what would happen, already escaped, without a question mark
 * @throws UsageError if nobody can be asked, InterruptedError
 */
export async function confirm(
  question: string,
  yes: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${question}: say so with --yes`)
  }
  // Standard output is for results.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  try {
    process.stderr.write(`${question}? [y/N] `)
    const ended = once(lines, 'close', { signal }).then(() => [''])
    const [answer] = (await Promise.race([once(lines, 'line', { signal }), ended])) as [string]
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    throw signal.aborted ? new InterruptedError('interrupted') : error
  } finally {
    lines.close()
  }
}
