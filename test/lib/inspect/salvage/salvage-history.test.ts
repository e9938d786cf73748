/** Salvage where the log no longer tells the whole history: deletes and newer values that only lost tables knew. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { Salvage } from '#dist/lib/inspect/salvage/salvage.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { filesLike } from '../../../support/store/inspected-store.ts'

const FILLER = Buffer.alloc(3000, 7)

function openSmall(directory: string): Promise<Store> {
  return open(directory, {
    workers: 0,
    segmentBytes: 16384,
    memtableBytes: 65536,
    valueThreshold: 200,
    collector: { enabled: false },
  })
}

/** Fills segments with values that are garbage at once, so that they go when the log is collected. */
async function writeGarbage(store: Store): Promise<void> {
  for (let i = 0; i < 15; i++) await store.put('garbage', FILLER)
}

async function dropGarbage(store: Store): Promise<void> {
  const plan = await store.planCollection({ targetSpaceAmplification: 1.01 })
  await store.collect({
    plan: { ...plan, steps: plan.steps.filter(({ action }) => action === 'drop') },
  })
}

/** Values of the keys that were saved, marked if they may be stale. */
async function salvage(directory: string): Promise<Record<string, string>> {
  const found = new Salvage(directory)
  for (const _bytes of found.readSlices());
  const saved: [string, string][] = []
  for await (const { key, value, mayBeStale } of found.entries()) {
    const text = Buffer.from(value as Uint8Array).toString('utf8', 0, 5)
    saved.push([key.toString(), `${text}${mayBeStale ? '?' : ''}`])
  }
  found.close()
  return Object.fromEntries(saved)
}

/** A key whose put is still in the log, while its delete is nowhere any more. */
async function makeGhost(): Promise<string> {
  const directory = path.join(temporaryDirectory(), 'store')
  const store = await openSmall(directory)
  await store.put('a', Buffer.alloc(4000, 'a'))
  await store.put('ghost', 'boo')
  for (let i = 0; i < 3; i++) await store.put(`b${i}`, Buffer.alloc(4000, 'b'))
  await writeGarbage(store)
  await store.delete('ghost')
  await writeGarbage(store)
  await store.delete('garbage')
  await store.put('z', 'last')
  await store.compact()
  await dropGarbage(store)
  await store.close()
  return directory
}

test('a deleted key whose put is still in the log comes back only as possibly stale', async () => {
  const directory = await makeGhost()
  const logs = filesLike(directory, /vlog$/).map((name) =>
    fs.readFileSync(path.join(directory, name)),
  )
  expect(logs.some((bytes) => bytes.includes('ghostboo'))).toBe(true)
  expect(await salvage(directory)).not.toHaveProperty('ghost')
  const [table] = filesLike(directory, /sst$/)
  fs.truncateSync(path.join(directory, table!), 200)
  expect(await salvage(directory)).toMatchObject({ a: 'aaaaa?', ghost: 'boo?' })
  fs.rmSync(path.join(directory, filesLike(directory, /^MANIFEST/)[0]!))
  expect(await salvage(directory)).toMatchObject({ a: 'aaaaa?', ghost: 'boo?' })
})

test('an older value of another table may be stale where a newer table is lost', async () => {
  const directory = path.join(temporaryDirectory(), 'store')
  const store = await openSmall(directory)
  await store.put('k', 'older')
  await store.put('outside', 'same')
  await writeGarbage(store)
  await store.compact()
  const before = filesLike(directory, /sst$/)
  // The table points to the last garbage before: what comes now goes to other segments.
  await writeGarbage(store)
  await store.put('k', 'newer')
  await writeGarbage(store)
  await store.flush()
  await dropGarbage(store)
  await store.close()
  const logs = filesLike(directory, /vlog$/).map((name) =>
    fs.readFileSync(path.join(directory, name)),
  )
  expect(logs.some((bytes) => bytes.includes('newer') || bytes.includes('older'))).toBe(false)
  expect(await salvage(directory)).toMatchObject({ k: 'newer', outside: 'same' })
  for (const name of filesLike(directory, /sst$/).filter((each) => !before.includes(each))) {
    fs.rmSync(path.join(directory, name))
  }
  expect(await salvage(directory)).toMatchObject({ k: 'older?', outside: 'same' })
})
