/** The collector's own work: an exposure that met damage is not begun again on the same tree. */
import { expect, test } from 'vitest'
import { CorruptionError, IoError } from '#dist/lib/base/errors.js'
import type { CollectorStore } from '#dist/lib/collector/act/action.js'
import type { Actor } from '#dist/lib/collector/act/actor.js'
import { OwnWork } from '#dist/lib/collector/act/own-work.js'
import type { RunningSteps } from '#dist/lib/collector/act/running-steps.js'

/** A store whose compactions fail with `error`. */
function fixture(error: Error) {
  const told: unknown[] = []
  const versions = { current: { levels: [] as object[], tables: new Set([1]) } }
  const warnings: string[] = []
  const store = {
    context: {
      options: { collector: {} },
      events: { emit: (_: string, text: string) => warnings.push(text) },
    },
    versions,
    readers: { held: [], expiredBy: 0 },
    space: {
      references: {
        totals: { tableBytes: 1000 },
        expiredBy: () => ({ next: Number.POSITIVE_INFINITY }),
      },
    },
    compactions: { compactRange: async () => Promise.reject(error) },
    health: {
      collectionFailed: (_work: string, cause: unknown) => told.push(cause),
      collectionDone: () => {},
    },
  } as unknown as CollectorStore
  const running = {} as RunningSteps
  const own = new OwnWork(store, {} as Actor, running, new AbortController().signal)
  return { own, versions, told, warnings }
}

test('a compaction that met a table which cannot be read is made again when that has gone', async () => {
  for (const error of [
    new CorruptionError('000001.sst', 0, 'checksum'),
    new IoError('read', '/db/000001.sst', 'EIO'),
  ]) {
    const { own, versions, told, warnings } = fixture(error)
    expect(own.isTreeExposed).toBe(false)
    own.expose()
    await own.ended.next()
    expect(warnings.join()).toContain('000001.sst')
    // The collector rests for nothing else.
    expect(told).toEqual([])
    expect(own.isTreeExposed).toBe(true)
    versions.current = { levels: [{}], tables: new Set([1, 2]) }
    expect(own.isTreeExposed).toBe(true)
    versions.current = { levels: [{}], tables: new Set([2]) }
    expect(own.isTreeExposed).toBe(false)
  }
})

test('after any other failure it may be made again', async () => {
  const { own, told } = fixture(new IoError('write', '/db/a', 'EIO'))
  own.expose()
  await own.ended.next()
  expect(told).toHaveLength(1)
  expect(own.isTreeExposed).toBe(false)
})
