/**
 * Runs jobs in processes of their own, so that no engine sees another one's memory or threads.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Runs a module as a child, sends it `job` and hands every message that it sends to `note`.
 * @returns when it ended well, or when it was killed as `note` asked for
 * @throws Error when it failed
 */
export function runChild<Message>(
  module: URL,
  job: object,
  note: (message: Message, child: ChildProcess) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // expose-gc: garbage of one workload is collected before the next one, not during it.
    const child = fork(fileURLToPath(module), [], { execArgv: ['--expose-gc'] })
    child.on('message', (message) => note(message as Message, child))
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0 || (child.killed && signal === 'SIGKILL')) resolve()
      else reject(new Error(`${module.pathname} failed code=${code} signal=${signal}`))
    })
    child.send(job)
  })
}

/** A failing child leaves a gap in the tables and an exit code; the others go on. @returns whether it went well */
export async function attempt(what: string, run: () => Promise<void>): Promise<boolean> {
  try {
    await run()
    return true
  } catch (error) {
    console.error(`${what} failed:`, error)
    process.exitCode = 1
    return false
  }
}
