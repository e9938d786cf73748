/**
 * Several processes that want the same stores, make them at the same moment, wait for each other, and die by kill -9:
 * at any time one of them has a store, the next one gets it, and finds all that was acknowledged (I1, I2). Two at a
 * time would give a number twice. Each kind of lock.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { COUNT, LOCKS, numbersOf, OWNED, OWNER_OPTIONS } from './owners-history.ts'

const CHILD = fileURLToPath(
  new URL('../../../dist/test/crash/kills/owners-child.js', import.meta.url),
)
const CHILDREN = 3
const seed = testSeed()

/** @returns whether it was killed @throws Error if it failed by itself */
function live(directory: string, childSeed: number, kind: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, directory, String(childSeed), kind])
    let errors = ''
    child.stderr.on('data', (data) => {
      errors += String(data)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(signal === 'SIGKILL')
      else reject(new Error(`child ended, code=${code}: ${errors}`))
    })
  })
}

test.each(Object.keys(LOCKS))(
  `I1, I2: %s lock has one owner; ${replayHint(seed)}`,
  async (kind) => {
    const directory = temporaryDirectory()
    const prng = new Prng(seed)
    let kills = 0
    const liveOnAndOn = async (): Promise<void> => {
      while (await live(directory, prng.u32(), kind)) kills++
    }
    await Promise.all(Array.from({ length: CHILDREN }, liveOnAndOn))
    for (const name of OWNED) {
      const path = join(directory, name)
      const numbers = numbersOf(path)
      expect(numbers, name).toEqual([...new Set(numbers)].sort((left, right) => left - right))
      const store = await open(path, OWNER_OPTIONS)
      expect(Number(store.getSync('number')), name).toBe(COUNT)
      expect(await store.verify()).toMatchObject({ ok: true })
      await store.close()
    }
    console.info(`${kind}: ${kills} kills; ${replayHint(seed)}`)
  },
)
