/** The wisc command in processes: of its own, or in one that has run it before (wisc-host.ts). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Options, open } from '#dist/lib/index.js'
import { schemaErrors } from './json-schema.ts'
import type { HostedResult, HostedRun } from './wisc-host.ts'

export const WISC: string = path.join(import.meta.dirname, '../../../dist/bin/wisc.js')

export interface WiscResult {
  readonly code: number | null
  readonly out: string
  readonly err: string
  /** The bytes of standard output. */
  readonly bytes: Buffer
}

export interface WiscOptions {
  readonly cwd?: string
  readonly input?: string | Uint8Array
  readonly env?: NodeJS.ProcessEnv
  /** In a process of its own: for what only that shows, such as how it ends. */
  readonly alone?: boolean
}

/** A slow machine is no silent one: whoever tests silence gives another patience. */
export const PATIENCE: Readonly<Record<string, string>> = { WISC_PATIENCE_MS: '120000' }

/** Without what the terminal says that the tests were started in. */
function ownVariables(): NodeJS.ProcessEnv {
  const { COLUMNS, NO_COLOR, ...env } = process.env
  return { ...env, ...PATIENCE }
}

export function startWisc(words: readonly string[], options: WiscOptions = {}): ChildProcess {
  const child = spawn(process.execPath, [WISC, ...words], {
    cwd: options.cwd,
    env: { ...ownVariables(), ...options.env },
  })
  // It may end before it has read all.
  child.stdin!.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  return child
}

/** What /proc says of the signals that a process handles: the second bit is SIGINT. */
const HANDLES_INTERRUPT = /^SigCgt:\s.*[2367abef]$/m

/** Resolves when the process handles SIGINT. Where nothing says so, after a time that is mostly enough. */
export async function untilInterruptible(child: ChildProcess): Promise<void> {
  const status = `/proc/${child.pid}/status`
  if (!fs.existsSync(status)) return new Promise((resolve) => setTimeout(resolve, 5000))
  while (child.exitCode === null && !HANDLES_INTERRUPT.test(fs.readFileSync(status, 'utf8'))) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const HOST = new URL('../../../dist/test/support/processes/wisc-host.js', import.meta.url)

/** A process that runs the command again and again, one at a time. It ends with the one that started it. */
class Host {
  readonly #process: ChildProcess
  #told: ((result: HostedResult) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  constructor() {
    this.#process = spawn(process.execPath, [fileURLToPath(HOST)], {
      env: ownVariables(),
      // A pipe in place of a file or a terminal: output goes to its stream.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#process.on('message', (result) => this.#told?.(result as HostedResult))
    this.#process.on('exit', (code) =>
      this.#failed?.(new Error(`the host has ended, code=${code}`)),
    )
    this.#process.unref()
    this.#process.channel?.unref()
  }

  run(asked: HostedRun): Promise<HostedResult> {
    return new Promise((resolve, reject) => {
      this.#told = resolve
      this.#failed = reject
      this.#process.send(asked)
    })
  }
}

const idleHosts: Host[] = []

/** Runs it to its end. Several may run at once. */
export async function wisc(
  words: readonly string[],
  options: WiscOptions = {},
): Promise<WiscResult> {
  if (options.alone) return wiscAlone(words, options)
  const host = idleHosts.pop() ?? new Host()
  const { code, out, err } = await host.run({
    words,
    directory: options.cwd ?? process.cwd(),
    variables: { ...options.env },
    input: Buffer.from(options.input ?? ''),
  })
  idleHosts.push(host)
  const bytes = Buffer.from(out)
  return { code, out: bytes.toString(), err: Buffer.from(err).toString(), bytes }
}

async function wiscAlone(words: readonly string[], options: WiscOptions): Promise<WiscResult> {
  const child = startWisc(words, options)
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout!.on('data', (data: Buffer) => out.push(data))
  child.stderr!.on('data', (data: Buffer) => err.push(data))
  child.stdin!.end(options.input)
  const [code] = (await once(child, 'close')) as [number | null]
  const bytes = Buffer.concat(out)
  return { code, out: bytes.toString(), err: Buffer.concat(err).toString(), bytes }
}

/** Runs it with --json. @returns its lines. @throws if it fails or a line is not as the schema says */
export async function wiscJson<T = Record<string, unknown>>(
  words: readonly string[],
  options: WiscOptions & { code?: number } = {},
): Promise<T[]> {
  const { code, out, err } = await wisc([...words, '--json'], options)
  if (code !== (options.code ?? 0)) throw new Error(`unexpected exit code ${code}: ${err}`)
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const value: unknown = JSON.parse(line)
      const errors = schemaErrors(words[0]!, value)
      if (errors.length > 0) throw new Error(`${line}: ${errors.join(', ')}`)
      return value as T
    })
}

/** A closed store with these entries. */
export async function makeStore(
  directory: string,
  entries: Iterable<readonly [string | Uint8Array, string | Uint8Array]>,
  options: Options = {},
): Promise<void> {
  const store = await open(directory, { workers: 0, ...options })
  for (const [key, value] of entries) await store.put(key, value)
  await store.close()
}
