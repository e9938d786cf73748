/** The writer that a follower is measured beside. */
import { setTimeout as sleep } from 'node:timers/promises'
import { open, type Store } from '../../../lib/index.ts'
import { sharedNow } from './shared-clock.ts'

/** How it writes. */
export interface Load {
  readonly directory: string
  /** Each puts one value after the other, and pauses in between. */
  readonly callers: number
  readonly valueBytes: number
  readonly pauseMs: number
}

/** What it is asked for: first to open a store, then to write. */
export type Asked = { readonly open: Load } | { readonly write: { readonly seconds: number } }

export interface Written {
  readonly puts: number
  /** Of each put of the key `now`: the time that it holds, and when it was written. */
  readonly stamps: readonly (readonly [time: number, written: number])[]
  /** User and system, of all threads. */
  readonly cpuMs: number
}

/** So many keys are written again and again. */
const KEYS = 100_000
/** At full speed the time is written with one put in so many. */
const PUTS_PER_STAMP = 16

let opened: { readonly store: Store; readonly load: Load } | undefined

process.on('disconnect', () => process.exit())
process.on('message', (message) => {
  // The follower sends nothing else.
  answer(message as Asked).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})

async function answer(asked: Asked): Promise<void> {
  if ('open' in asked) {
    const load = asked.open
    const store = await open(load.directory)
    await store.put('begun', '')
    opened = { store, load }
    process.send?.('open')
    return
  }
  const { store, load } = opened!
  process.send?.(await write(store, load, asked.write.seconds))
  await store.close()
  process.disconnect()
}

async function write(
  store: Store,
  { callers, valueBytes, pauseMs }: Load,
  seconds: number,
): Promise<Written> {
  const end = performance.now() + seconds * 1000
  const before = process.cpuUsage()
  let puts = 0
  const stamps: [number, number][] = []
  const call = async (): Promise<void> => {
    const value = Buffer.alloc(valueBytes, 7)
    while (performance.now() < end) {
      const isStamp = pauseMs > 0 || puts % PUTS_PER_STAMP === 0
      const key = isStamp ? 'now' : `key/${puts % KEYS}`
      puts++
      const time = sharedNow()
      if (isStamp) value.writeDoubleLE(time)
      await store.put(key, value)
      if (isStamp) stamps.push([time, sharedNow()])
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
  if (callers === 0) await sleep(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  return { puts, stamps, cpuMs: (user + system) / 1000 }
}
