/** A plan of a store that is only read is the plan that its writer would make, and writes nothing (I11). */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { storeWithGarbage } from '../../support/store/busy-store.ts'

const OPTIONS = { workers: 0, segmentBytes: 65536, collector: { enabled: false } }

function state(db: string): string[] {
  return fs
    .readdirSync(db)
    .map((name) => `${name} ${fs.statSync(path.join(db, name), { bigint: true }).mtimeNs}`)
}

test('reader and writer plan alike', async () => {
  const db = await storeWithGarbage()
  const before = state(db)
  const reader = await open(db, { ...OPTIONS, readOnly: true })
  const options = [{}, { targetSpaceAmplification: 1 }, { segments: [2, 3], maxCopyBytes: 5000 }]
  const plans = []
  for (const each of options) plans.push(await reader.planCollection(each))
  await reader.close()
  expect(state(db)).toEqual(before)
  await expect(reader.planCollection()).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
  const writer = await open(db, OPTIONS)
  for (const [index, each] of options.entries()) {
    const { steps, skipped } = await writer.planCollection(each)
    expect(steps).toEqual(plans[index]!.steps)
    // The writer has a segment of its own.
    expect(skipped).toEqual(expect.arrayContaining([...plans[index]!.skipped]))
  }
  expect(plans[1]!.steps.length).toBeGreaterThan(0)
  const report = await writer.collect({ plan: plans[1]! })
  expect(report.bytesFreed).toBe(plans[1]!.bytesFreed)
  await writer.close()
})

test('a signal ends it', async () => {
  const db = await storeWithGarbage()
  const reader = await open(db, { readOnly: true })
  const signal = AbortSignal.abort()
  await expect(reader.planCollection({ signal })).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  await reader.close()
})

test('where files are gone it plans for the newest state', async () => {
  const db = await storeWithGarbage()
  const reader = await open(db, { readOnly: true })
  const writer = await open(db, OPTIONS)
  await writer.put('a', 'b')
  await writer.compact()
  await writer.collect({ targetSpaceAmplification: 1 })
  await writer.close()
  const plan = await reader.planCollection({ targetSpaceAmplification: 1 })
  await reader.close()
  const newest = await open(db, { readOnly: true })
  expect(plan).toEqual(await newest.planCollection({ targetSpaceAmplification: 1 }))
  await newest.close()
})
