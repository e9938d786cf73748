/** Child processes that run a piece of code against the compiled store. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const DIST = pathToFileURL(path.join(import.meta.dirname, '../../../dist/')).href

/** Runs a module; `DIST` in it is the URL of dist/. Its arguments are in `process.argv` from index 1 on. */
export function startModule(code: string, ...moduleArguments: string[]): ChildProcess {
  return startModuleBy([], code, ...moduleArguments)
}

/** The same, where a command runs it: what it is to run follows its own arguments. */
export function startModuleBy(
  command: readonly string[],
  code: string,
  ...moduleArguments: string[]
): ChildProcess {
  const source = `const DIST = ${JSON.stringify(DIST)}\n${code}`
  const childArguments = ['--input-type=module', '-e', source, '--', ...moduleArguments]
  const [first, ...rest] = [...command, process.execPath, ...childArguments]
  return spawn(first!, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** A command that has a shell do something first. */
export function afterShell(script: string): readonly string[] {
  return ['sh', '-c', `${script} && exec "$@"`, 'sh']
}

/** The next line that a child prints. */
export function nextLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (data: Buffer): void => {
      text += data.toString()
      if (!text.includes('\n')) return
      child.stdout?.off('data', onData)
      child.off('exit', onExit)
      resolve(text.slice(0, text.indexOf('\n')))
    }
    const onExit = (code: number | null): void => reject(new Error(`child ended, code=${code}`))
    child.stdout?.on('data', onData)
    child.on('exit', onExit)
  })
}

/** Runs a module to its end and gives what it printed. */
export async function runModule(code: string, ...moduleArguments: string[]): Promise<string> {
  return ending(startModule(code, ...moduleArguments))
}

/** What a child prints until it ends well. */
export async function ending(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString()
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  if (status !== 0) throw new Error(`child failed, status=${status}`)
  return text
}
