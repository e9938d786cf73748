/** Verify walks the log frame by frame, whatever the tables say; what a writer punches meanwhile is no damage. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { type CollectionReport, open } from '#dist/lib/index.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { makeFlushedStore, visibleFile } from '../../support/store/verified-store.ts'

test('I8: a flipped byte in a head, any, is found without reading values; in values by a deep one alone', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  const { name, bytes } = visibleFile(fileSystem, /\.vlog$/)
  for (let at = 96; at < bytes.length; at += 97) {
    bytes[at]! ^= 0x20
    const shallow = await store.verify({ deep: false })
    const deep = await store.verify()
    bytes[at]! ^= 0x20
    if (!shallow.ok) expect(deep.ok, `byte ${at}`).toBe(false)
    for (const error of deep.damage)
      expect(error).toMatchObject({ code: 'WISC_CORRUPTION', file: name })
  }
  expect((await store.verify()).ok).toBe(true)
})

test('I8: a tail that is flushed and punched while it is walked is no damage', async () => {
  const store = await open(path.join(temporaryDirectory(), 'store'), {
    segmentBytes: 128 * 1024 * 1024,
    collector: { enabled: false },
  })
  const value = Buffer.alloc(40_000, 7)
  for (let i = 0; i < 1600; i++) await store.put(`key ${i}`, value)
  await store.write(
    Array.from({ length: 800 }, (_, i) => ({ type: 'delete', key: `key ${2 * i}` }) as const),
  )
  let collected: Promise<CollectionReport> | undefined
  const collect = async (): Promise<CollectionReport> => {
    await store.flush()
    return store.collect({ targetSpaceAmplification: 1.3 })
  }
  // Each turn takes so long that the worker is done before the walk.
  const onProgress = (): void => {
    collected ??= collect()
    for (const end = performance.now() + 40; performance.now() < end; );
  }
  const { damage } = await store.verify({ deep: true, onProgress })
  expect(damage).toEqual([])
  expect((await collected)?.steps.map(({ action }) => action)).toContain('punch')
  await store.close()
})
