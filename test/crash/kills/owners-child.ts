/**
 * The child of owners.test.ts: opens one store after the other, which others want at the same time, counts in it, and
 * closes it, or dies by kill -9 where it happens to be: while it waits, opens, writes or closes, or holds the lock.
 *
 *   node owners-child.js DIRECTORY SEED KIND        KIND of lock: a key of LOCKS in owners-history.ts
 *
 * Each number goes to a file beside the store when it is acknowledged, and before the lock is given up. Ends with 0
 * when everything has been counted.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { NodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { Prng } from '../../support/random.ts'
import { COUNT, LOCKS, type LockKind, lastNumber, OWNED, OWNER_OPTIONS } from './owners-history.ts'

const [directory, seed, kind] = process.argv.slice(2)
const prng = new Prng(Number(seed))
const fileSystem = new NodeFileSystem(LOCKS[kind as LockKind])

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** Has the store once, for a few numbers. */
async function own(name: string): Promise<void> {
  const path = join(directory!, name)
  const options = { ...OWNER_OPTIONS, waitForLock: prng.chance(0.8) ? 600_000 : prng.below(20) }
  const store = await openStore(path, options, { fileSystem })
  let number = Number(store.getSync('number') ?? 0)
  for (let i = 1 + prng.below(3); i > 0 && number < COUNT; i--) {
    await store.put('number', String(++number))
    appendFileSync(`${path}.numbers`, `${number}\n`)
    await sleep(prng.below(4))
  }
  if (prng.chance(0.15)) die()
  await store.close()
}

if (prng.chance(0.4)) setTimeout(die, prng.below(300))
for (const name of OWNED) {
  while (lastNumber(join(directory!, name)) < COUNT)
    await own(name).catch((error) => {
      if (error.code !== 'WISC_LOCKED') throw error
    })
}
process.exit()
