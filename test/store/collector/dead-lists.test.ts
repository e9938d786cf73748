/** What flushes and compactions told of dead records, as the collector of a store uses it. */
import { expect, test } from 'vitest'
import { parseFileName } from '#dist/lib/base/files/file-names.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import type { Job } from '#dist/lib/jobs/messages.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { Entry } from '#dist/lib/tree/entry.js'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'

const KEYS = 100
/** Keys whose first value lives on, each in a segment of its own. */
const KEPT = [3, 33, 63, 93]

/** Starts a collection, and stops before its first rewrite. */
async function beforeRewrite(
  opened: CollectedStore,
): Promise<{ job: Job; ended: Promise<unknown> }> {
  const { store, runner } = opened
  runner.hold('rewrite', 'before')
  const ended = store.collect()
  return { job: await runner.reached('rewrite'), ended }
}

/** Lets the rewrites go. @returns how often a table was opened until they had ended */
async function tablesOpened(opened: CollectedStore, ended: Promise<unknown>): Promise<number> {
  const { fileSystem, runner } = opened
  let opens = 0
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'open' && parseFileName(path.slice(path.lastIndexOf('/') + 1))?.kind === 'table') {
      opens++
    }
  }
  runner.hold('rewrite', 'after')
  await runner.reached('rewrite')
  fileSystem.onCall = () => undefined
  runner.release('rewrite')
  await ended
  return opens
}

async function filled(): Promise<CollectedStore> {
  const opened = await CollectedStore.open()
  for (let i = 0; i < KEYS; i++) await opened.put(keyOf(i), 3000)
  for (let i = 0; i < KEYS; i++) if (!KEPT.includes(i)) await opened.put(keyOf(i), 3000)
  await opened.store.compact()
  return opened
}

test('a rewrite goes by the lists, asks no table, and what it moved is forgotten', async () => {
  const opened = await filled()
  const { dead } = (engineOf(opened.store) as Engine).space
  const { job, ended } = await beforeRewrite(opened)
  expect(job.kind === 'rewrite' && job.dead.length).toBeGreaterThan(0)
  expect(await tablesOpened(opened, ended)).toBe(0)
  const segments = job.kind === 'rewrite' ? job.files.map(({ number }) => number) : []
  expect(dead.of(segments)).toEqual([])
  await opened.finish()
})

test('after an open no list is left, and the rewrite asks the tables', async () => {
  const opened = await filled()
  await opened.closeAndReopen()
  const { job, ended } = await beforeRewrite(opened)
  expect(job.kind === 'rewrite' && job.dead).toEqual([])
  expect(await tablesOpened(opened, ended)).toBeGreaterThan(0)
  await opened.finish()
})

test('a list that lacks something changes nothing: the tables are asked', async () => {
  const opened = await filled()
  const { space, version } = engineOf(opened.store) as Engine
  const lists = space.dead.of(version.segments.keys())
  // As if each list had named a record that is none, and lacked one.
  for (const { offsets } of lists) offsets[0] = offsets[0]! + 8
  const { ended } = await beforeRewrite(opened)
  expect(await tablesOpened(opened, ended)).toBeGreaterThan(0)
  await opened.finish()
})

test('a list that names a living record instead of a dead one as long is found out', async () => {
  const opened = await filled()
  const engine = engineOf(opened.store) as Engine
  const warnings: string[] = []
  opened.store.on('warning', (message) => warnings.push(message))
  const { job, ended } = await beforeRewrite(opened)
  const lists = job.kind === 'rewrite' ? job.dead : []
  let planted = 0
  for (const kept of KEPT) {
    const living = new Entry()
    engine.tree.find(Buffer.from(keyOf(kept)), SEQUENCE_MAX, living)
    const list = lists.find(({ segment }) => segment === living.segment)
    if (list === undefined) continue
    expect(list.lengths[0]).toBe(living.length)
    list.offsets[0] = living.offset
    planted++
  }
  expect(planted).toBeGreaterThan(0)
  expect(await tablesOpened(opened, ended)).toBeGreaterThan(0)
  expect(warnings).toEqual([expect.stringMatching(/^a list of dead records named living ones/)])
  await opened.finish()
})
