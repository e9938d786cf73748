/**
 * A follower beside a writer of another process, which writes the time to the key `now` again and again. What is shown
 * of it at some moment, held against when the next one was written, is how far the follower is behind.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { open, type Store } from '../../../lib/index.ts'
import { takeJob, tellParent } from '../../harness/children.ts'
import type { Asked, Load, Written } from './follow-writer.ts'
import { sharedNow } from './shared-clock.ts'

/** What the parent asks for. */
export interface FollowJob extends Load {
  readonly seconds: number
}

export interface FollowReport {
  /** Undefined if nothing was written. */
  readonly lag:
    | { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
    | undefined
  readonly puts: number
  /** Of each second, so many ms of the processor: user and system, all threads. */
  readonly followerCpu: number
  readonly writerCpu: number
}

const WRITER = fileURLToPath(new URL('./follow-writer.js', import.meta.url))
/** Between two looks at the key `now`: these cost a hundredth of a core. */
const SAMPLE_MS = 5

/** The time that the key `now` held at some moment. */
interface Shown {
  readonly at: number
  readonly time: number
}

takeJob<FollowJob>(run)

async function run({ seconds, ...load }: FollowJob): Promise<void> {
  const writer = fork(WRITER)
  process.on('exit', () => writer.kill('SIGKILL'))
  await ask(writer, { open: load })
  const follower = await open(load.directory, { readOnly: true, follow: true })
  const written = ask(writer, { write: { seconds: seconds + 1 } }) as Promise<Written>
  await sleep(500)
  const before = process.cpuUsage()
  const began = performance.now()
  const shown = load.callers === 0 ? [] : await sample(follower, seconds * 1000)
  if (load.callers === 0) await sleep(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  const perSecond = (performance.now() - began) / 1000
  const { puts, cpuMs } = await written
  await follower.close()
  const lags = lagsOf(shown, await written)
  lags.sort((left, right) => left - right)
  const at = (share: number): number => lags[Math.round(share * (lags.length - 1))]!
  const report: FollowReport = {
    lag: lags.length > 0 ? { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) } : undefined,
    puts: puts / (seconds + 1),
    followerCpu: (user + system) / 1000 / perSecond,
    writerCpu: cpuMs / (seconds + 1),
  }
  await tellParent(report)
}

async function ask(writer: ChildProcess, asked: Asked): Promise<unknown> {
  const answer = once(writer, 'message')
  writer.send(asked)
  return (await answer)[0]
}

/** What is shown at some moments. */
async function sample(follower: Store, ms: number): Promise<Shown[]> {
  const shown: Shown[] = []
  const end = performance.now() + ms
  while (performance.now() < end) {
    await sleep(SAMPLE_MS)
    const time = follower.getSync('now')?.readDoubleLE() ?? 0
    shown.push({ at: sharedNow(), time })
  }
  return shown
}

/** For how long the first write that is not shown has been written, at each moment; 0: all are. */
function lagsOf(shown: readonly Shown[], { stamps }: Written): number[] {
  let next = 0
  return shown
    .filter(({ time }) => time > 0)
    .map(({ at, time }) => {
      while (next < stamps.length && stamps[next]![0] <= time) next++
      return Math.max(0, at - (stamps[next]?.[1] ?? at))
    })
}
