/** Standard input: a value, whole, in memory once; or the answer to a question. */
import { once } from 'node:events'
import fs from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { InterruptedError, UsageError } from '../terminal/exit-code.ts'

const STDIN = 0
const READ_BYTES_MAX = 1024 * 1024 * 1024
const CHUNK_BYTES = 64 * 1024
/** A value can have no more. */
const VALUE_BYTES_MAX = 2 ** 31 - 1

/** All bytes up to the end. @throws InterruptedError */
export async function readInput(signal: AbortSignal): Promise<Buffer> {
  const stat = fs.fstatSync(STDIN)
  // Of a file, memory of the right size is taken at once; a pipe may wait for ever, so this thread must not read it.
  const bytes = stat.isFile() ? readFile(stat.size) : await readStream(signal)
  // Ctrl-C ends whoever writes into the pipe as well. The end may be seen before the signal: then the bytes are cut
  // off. The second turn begins with another look for what has come.
  for (let turn = 0; turn < 2; turn++) await nextTurn()
  if (signal.aborted) throw new InterruptedError('interrupted')
  return bytes
}

function readFile(size: number): Buffer {
  const chunks: Buffer[] = []
  let length = 0
  let chunk = readChunk(checkLength(size))
  // The size may be none (of /proc), or the file may have grown.
  for (; chunk.length > 0; chunk = readChunk(CHUNK_BYTES)) {
    length = checkLength(length + chunk.length)
    chunks.push(chunk)
  }
  return joined(chunks, length)
}

/** The next bytes, fewer than `size` only at the end. */
function readChunk(size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Math.max(size, 1))
  let length = 0
  for (let count = -1; length < bytes.length && count !== 0; length += count) {
    const wanted = Math.min(bytes.length - length, READ_BYTES_MAX)
    count = fs.readSync(STDIN, bytes, length, wanted, null)
  }
  return bytes.subarray(0, length)
}

async function readStream(signal: AbortSignal): Promise<Buffer> {
  const onAbort = (): unknown => process.stdin.destroy(new InterruptedError('interrupted'))
  signal.addEventListener('abort', onAbort, { once: true })
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length = checkLength(length + chunk.length)
  }
  signal.removeEventListener('abort', onAbort)
  return joined(chunks, length)
}

/** Lets go of each chunk as soon as it is copied, so that not everything is there twice. */
function joined(chunks: Buffer[], length: number): Buffer {
  if (chunks.length === 1) return chunks[0]!
  const bytes = Buffer.allocUnsafeSlow(length)
  let end = length
  for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop()) {
    end -= chunk.length
    chunk.copy(bytes, end)
  }
  return bytes
}

function checkLength(length: number): number {
  if (length > VALUE_BYTES_MAX) throw new UsageError('a value can have at most 2 GiB less one byte')
  return length
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
