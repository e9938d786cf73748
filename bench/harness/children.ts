/**
 * Runs jobs in processes of their own, so that no engine sees another one's memory or threads.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Of a child that says nothing for so long: it hangs. */
const SILENT_MS_MAX = 60 * 60_000

/** In the place of a report: why the child has failed. */
interface Failure {
  readonly failedBecause: string
}

/**
 * Runs a module as a child, sends it `job` and hands every message that it sends to `note`.
 * @returns when it ended well, or when it was killed as `note` asked for
 * @throws Error when it failed, or was silent for too long
 */
export function runChild<Message extends object>(
  module: URL,
  job: object,
  note: (message: Message, child: ChildProcess) => void,
  silentMsMax: number = SILENT_MS_MAX,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // expose-gc: garbage of one workload is collected before the next one, not during it.
    const child = fork(fileURLToPath(module), [], { execArgv: ['--expose-gc'] })
    let why: string | undefined
    const watch = setTimeout(() => {
      why = `said nothing for ${silentMsMax / 60_000} minutes`
      child.kill('SIGKILL')
    }, silentMsMax)
    child.on('message', (message) => {
      watch.refresh()
      why ??= (message as Partial<Failure>).failedBecause
      if (why === undefined) note(message as Message, child)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(watch)
      const isKilled = child.killed && signal === 'SIGKILL' && why === undefined
      if (code === 0 || isKilled) resolve()
      else reject(new Error(why ?? `its process ended with ${signal ?? `code ${code}`}`))
    })
    child.send(job)
  })
}

/** The same for a child that reports once. @throws Error when it failed, or reported nothing */
export async function askChild<Report extends object>(module: URL, job: object): Promise<Report> {
  let found: { readonly report: Report } | undefined
  await runChild<Report>(module, job, (report) => {
    found = { report }
  })
  if (found === undefined) throw new Error('its process reported nothing')
  return found.report
}

/** The other side: a child does the job that its parent sends, and ends. */
export function takeJob<Job>(run: (job: Job) => Promise<void>): void {
  // Without its parent a child has nobody to report to.
  process.on('disconnect', () => process.exit())
  process.on('message', (message) => {
    // The parent sends nothing else.
    run(message as Job).then(
      () => process.disconnect(),
      async (error: unknown) => {
        console.error(error)
        const failedBecause = error instanceof Error ? error.message : String(error)
        await tellParent({ failedBecause } satisfies Failure)
        process.exit(1)
      },
    )
  })
}

/** To the parent. Settles when it is on its way: a child may end then. */
export function tellParent(report: object): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(report, undefined, undefined, (error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}
