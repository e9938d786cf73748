/**
 * A process that runs the wisc command as often as it is asked to (wisc-process.ts asks): to start a process and to
 * load the command takes ten times as long as most of what the command does.
 *
 * The entry of the command runs when it is imported; under another query it is another module, and runs again. What a
 * process gives to it is made anew for each run: words, variables, a directory, standard streams and an exit code.
 */
import { Readable, Writable } from 'node:stream'

/** What the command is, and what users start. */
const ENTRY = new URL('../../../lib/bundle/wisc.js', import.meta.url)
const COMMAND = new URL('../../../bin/wisc.js', import.meta.url)

export interface HostedRun {
  readonly words: readonly string[]
  readonly directory: string
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly input: Uint8Array
}

export interface HostedResult {
  readonly code: number
  readonly out: Uint8Array
  readonly err: Uint8Array
}

class Collector extends Writable {
  #chunks: Buffer[] = []

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The memory of a value may go to the next one.
    this.#chunks.push(Buffer.from(chunk))
    done()
  }

  take(): Buffer {
    return Buffer.concat(this.#chunks.splice(0))
  }
}

const [out, err] = [new Collector(), new Collector()]
let input = Readable.from([])
// Before anything asks for them: `console` keeps what it has found.
Object.defineProperties(process, {
  stdout: { value: out },
  stderr: { value: err },
  stdin: { get: () => input },
})
const own = { ...process.env }
const [node] = process.argv
let runs = 0

async function run({ words, directory, variables, ...given }: HostedRun): Promise<HostedResult> {
  process.argv = [node!, COMMAND.pathname, ...words]
  process.chdir(directory)
  Object.assign(process.env, variables)
  input = Readable.from(given.input.length > 0 ? [Buffer.from(given.input)] : [])
  process.exitCode = undefined
  await import(`${ENTRY}?${runs++}`)
  const code = Number(process.exitCode ?? 0)
  for (const name of Object.keys(variables)) {
    if (own[name] === undefined) delete process.env[name]
    else process.env[name] = own[name]
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  for (const stream of [out, err]) stream.removeAllListeners('error')
  return { code, out: out.take(), err: err.take() }
}

process.on('message', (asked: HostedRun) => {
  void run(asked).then((result) => process.send!(result))
})
process.on('disconnect', () => process.exit())
