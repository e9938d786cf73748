/**
 * A follower beside a writer of another process. What it shows is looked at all the time: the key `now` holds the time
 * at which it was written, so its age is how far the follower is behind.
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
/** Where there is a longer pause between writes, each of them is looked at once. */
const RARE_MS = 100

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
  const lags = load.callers === 0 ? [] : await sample(follower, load, seconds * 1000)
  if (load.callers === 0) await sleep(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  const perSecond = (performance.now() - began) / 1000
  const { puts, cpuMs } = await written
  await follower.close()
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

/** How old what is shown is: at any time, or when it is first seen if writes are rare. */
async function sample(follower: Store, { pauseMs }: Load, ms: number): Promise<number[]> {
  const lags: number[] = []
  const end = performance.now() + ms
  let last = 0
  while (performance.now() < end) {
    await sleep(SAMPLE_MS)
    const written = follower.getSync('now')?.readDoubleLE() ?? 0
    if (written > 0 && (written !== last || pauseMs < RARE_MS)) lags.push(sharedNow() - written)
    last = written
  }
  return lags
}
