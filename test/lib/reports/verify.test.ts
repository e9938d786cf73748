/** Verify finds what is flipped, everywhere, writes nothing, and says all of it. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CorruptionError } from '#dist/lib/base/errors.js'
import { type CollectionReport, open } from '#dist/lib/index.js'
import type { VerifyProgress } from '#dist/lib/reports/verify.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { idle } from '../../support/store/settled.ts'

async function makeStore(fileSystem: FaultFileSystem): Promise<Store> {
  const store = await openSmallStore({}, fileSystem)
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(i % 2 === 0 ? 30 : 400, i))
  await store.flush()
  return store
}

/** The visible bytes of a file, to change in place. */
function bytesOf(
  fileSystem: FaultFileSystem,
  pattern: RegExp,
): { name: string; bytes: Uint8Array } {
  const found = [...fileSystem.visibleImage().files].find(
    ([path, bytes]) => pattern.test(path) && bytes.length > 0,
  )!
  return { name: found[0].slice(found[0].lastIndexOf('/') + 1), bytes: found[1] }
}

test('a sound store is ok, every part of it counted', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeStore(fileSystem)
  // The writer's own background work ends first.
  await idle(fileSystem)
  const progress: VerifyProgress[] = []
  const before = fileSystem.log.length
  const report = await store.verify({ onProgress: (step) => progress.push(step) })
  expect(report).toMatchObject({
    ok: true,
    damage: [],
    entries: 100,
    pointers: 50,
    records: 100,
    valueBytes: 50 * 400,
  })
  expect(progress.at(-1)).toMatchObject({
    tablesDone: report.tables,
    segmentsDone: report.segments,
  })
  expect(await store.verify({ deep: false })).toMatchObject({
    ok: true,
    pointers: 50,
    valueBytes: 0,
  })
  expect(fileSystem.log.length).toBe(before)
})

describe('I8: a flipped byte', () => {
  test('in a table, any, is found', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await makeStore(fileSystem)
    const { name, bytes } = bytesOf(fileSystem, /\.sst$/)
    for (let at = 0; at < bytes.length; at += 61) {
      bytes[at]! ^= 0x20
      const { ok, damage } = await store.verify({ deep: false })
      bytes[at]! ^= 0x20
      expect(ok, `byte ${at}`).toBe(false)
      expect((damage[0] as CorruptionError).file).toBe(name)
    }
  })

  test('in several blocks of a table: each is told', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await makeStore(fileSystem)
    const { name, bytes } = bytesOf(fileSystem, /\.sst$/)
    for (const at of [100, 1100, 2100]) bytes[at]! ^= 0x20
    const { damage } = await store.verify({ deep: false })
    const places = damage.map((error) => (error as CorruptionError).offset)
    expect(damage.every((error) => (error as CorruptionError).file === name)).toBe(true)
    expect(places.length).toBeGreaterThanOrEqual(3)
    expect(new Set(places).size).toBe(places.length)
  })

  test('in the heads of the log, any, is found without reading values; in values by a deep one alone', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await makeStore(fileSystem)
    const { name, bytes } = bytesOf(fileSystem, /\.vlog$/)
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

  test('in each of several values is reported for each', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await makeStore(fileSystem)
    const { bytes } = bytesOf(fileSystem, /\.vlog$/)
    const places = [11, 55, 99].map((i) => Buffer.from(bytes).indexOf(Buffer.alloc(400, i)))
    for (const place of places) bytes[place + 200]! ^= 1
    expect((await store.verify({ deep: false })).ok).toBe(true)
    const { damage } = await store.verify()
    expect(damage).toHaveLength(3)
    expect(await codeOf(() => store.get('key55'))).toBe('WISC_CORRUPTION')
    expect(await store.get('key57')).toEqual(Buffer.alloc(400, 57))
  })

  test('in the header of a segment is reported once, whatever the count of its records', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await makeStore(fileSystem)
    const { name, bytes } = bytesOf(fileSystem, /\.vlog$/)
    await store.close()
    bytes[20]! ^= 1
    const view = await openSmallStore({ readOnly: true }, fileSystem)
    const { damage, affectedEntries } = await view.verify()
    expect(damage).toMatchObject([{ code: 'WISC_CORRUPTION', file: name }])
    expect(affectedEntries).toEqual([50])
    await view.close()
  })

  test('in CURRENT or the manifest is found', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await makeStore(fileSystem)
    for (const pattern of [/CURRENT$/, /MANIFEST/]) {
      const { name, bytes } = bytesOf(fileSystem, pattern)
      bytes[40]! ^= 1
      expect((await store.verify()).damage).toMatchObject([{ code: 'WISC_CORRUPTION', file: name }])
      bytes[40]! ^= 1
    }
  })
})

test('can be aborted, and ends when its store is closed', async () => {
  const store = await makeStore(new FaultFileSystem())
  expect(await codeOf(() => store.verify({ signal: AbortSignal.abort() }))).toBe('WISC_ABORTED')
  const controller = new AbortController()
  const running = codeOf(() => store.verify({ signal: controller.signal }))
  controller.abort()
  expect(await running).toBe('WISC_ABORTED')
  const last = codeOf(() => store.verify())
  await store.close()
  expect(await last).toBe('WISC_NOT_OPEN')
})

test('goes on while the store is written and compacted', async () => {
  const store = await makeStore(new FaultFileSystem())
  const verifying = Promise.all([store.verify(), store.verify({ deep: false })])
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(300))
  await store.compact()
  for (const report of await verifying) expect(report.damage).toEqual([])
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
