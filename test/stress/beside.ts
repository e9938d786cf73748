/**
 * A reader in a process of its own, beside the writer of the stress program.
 *
 *   node beside.js DIRECTORY SEED       runs until its standard input ends, then prints what it did as JSON
 *
 * It opens, looks in every way there is, and closes. Each value proves itself, each group is whole at one moment, and
 * no later open shows an older state. WISC_STALE is the one answer of the store that is right beside it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Store, WiscError } from '#dist/lib/index.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { Prng } from '../support/random.ts'
import { GROUPS, keysOf, membersOf, parseKey, versionIn } from './content.ts'
import { isQueueKey } from './queue.ts'
import { drawReaderOptions } from './settings.ts'
import { pauses, shakyFileSystem } from './shaky-file-system.ts'

const [directory, seedText] = process.argv.slice(2)
const prng = new Prng(Number(seedText))
const counts: Record<string, number> = {}
/** The newest version of each group that an open showed. */
const seen: number[] = new Array<number>(GROUPS).fill(0)
let ended = false
process.stdin.resume().on('end', () => {
  ended = true
})

async function attempt(name: string, work: () => void | Promise<void>): Promise<void> {
  counts[name] = (counts[name] ?? 0) + 1
  try {
    await work()
  } catch (error) {
    if (!(error instanceof WiscError) || error.code !== 'WISC_STALE') {
      throw new Error(`${name} beside a writer: ${(error as Error).message}`, { cause: error })
    }
    counts[`${name} ${error.code}`] = (counts[`${name} ${error.code}`] ?? 0) + 1
  }
}

/** Holds a whole group at one moment. @returns its version, if it has a value */
function checkGroup(
  group: number,
  values: readonly (Uint8Array | undefined)[],
): number | undefined {
  const versions = values.map((value, member) => value && versionIn(group, member, value))
  if (new Set(versions).size > 1) throw new Error(`group ${group} is torn: ${versions.join(', ')}`)
  const version = versions[0]
  if (version !== undefined && version < seen[group]!) {
    throw new Error(`group ${group} went back from ${seen[group]} to ${version}`)
  }
  return version
}

async function lookOnce(store: Store): Promise<void> {
  const group = prng.below(GROUPS)
  const keys = keysOf(group)
  switch (prng.below(9)) {
    case 0:
    case 1:
      await attempt('get', async () => {
        const member = prng.below(keys.length)
        const value = await store.get(keys[member]!)
        if (value) versionIn(group, member, value)
      })
      break
    case 2:
      await attempt('getSync', () => {
        const member = prng.below(keys.length)
        const value = store.getSync(keys[member]!)
        if (value) versionIn(group, member, value)
      })
      break
    case 3:
      await attempt('getMany', async () => {
        const version = checkGroup(group, await store.getMany(keys))
        if (version !== undefined) seen[group] = version
      })
      break
    case 4:
      await attempt('scan', () => scan(store))
      break
    case 5:
      await attempt('snapshot', async () => {
        const snapshot = store.snapshot()
        const before = checkGroup(group, await store.getMany(keys, { snapshot }))
        await sleep(prng.below(20))
        const after = checkGroup(group, await store.getMany(keys, { snapshot }))
        if (before !== after) throw new Error(`group ${group} changed in a snapshot`)
        snapshot.close()
      })
      break
    case 6:
      await attempt('stats', () => {
        if (store.stats().diskBytes < 0) throw new Error('sizes below zero')
        store.segments()
      })
      break
    case 7:
      await attempt('stat', async () => {
        await store.has(keys[0]!)
        await store.stat(keys[0]!)
      })
      break
    default:
      if (prng.chance(0.3)) await attempt('verify', () => verify(store))
      else await attempt('plan', async () => void (await store.planCollection()))
  }
}

async function scan(store: Store): Promise<void> {
  let group = -1
  let values: (Uint8Array | undefined)[] = []
  const end = (): void => {
    if (group >= 0) checkGroup(group, values)
  }
  for await (const [key, value] of store.entries()) {
    if (isQueueKey(key.toString())) continue
    const place = parseKey(key.toString())
    if (!place) throw new Error(`a key that nobody wrote: ${key.toString()}`)
    if (place.group !== group) {
      end()
      group = place.group
      values = new Array<undefined>(membersOf(group)).fill(undefined)
    }
    values[place.member] = value
  }
  end()
}

async function verify(store: Store): Promise<void> {
  const report = await store.verify({ deep: prng.chance(0.5) })
  const [damage] = report.damage
  if (damage) throw new Error(`verify found damage: ${damage.message}`, { cause: damage })
}

while (!ended) {
  await attempt('open', async () => {
    const fileSystem = shakyFileSystem(pauses(prng.fork()))
    const store = await openStore(directory!, drawReaderOptions(prng), { fileSystem })
    if (prng.chance(0.5)) await attempt('scan', () => scan(store))
    for (let looks = 1 + prng.below(6); looks > 0 && !ended; looks--) await lookOnce(store)
    await store.close()
  })
}
console.log(JSON.stringify(counts))
