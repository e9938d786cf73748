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
  const versions = { current: { levels: [] as object[] } }
  const store = {
    context: { options: { collector: {} } },
    versions,
    readers: { held: [], expiredBy: 0 },
    space: {
      references: {
        totals: { tableBytes: 1000 },
        expiredBy: () => ({ next: Number.POSITIVE_INFINITY }),
      },
    },
    compactions: { compactRange: async () => Promise.reject(error) },
    health: { collectionFailed: (cause: unknown) => told.push(cause), collectionDone: () => {} },
  } as unknown as CollectorStore
  const running = {} as RunningSteps
  const own = new OwnWork(store, {} as Actor, running, new AbortController().signal)
  return { own, versions, told }
}

test('a compaction that met damage is made again only when the tree is another', async () => {
  const damage = new CorruptionError('000001.sst', 0, 'checksum')
  const { own, versions, told } = fixture(damage)
  expect(own.isTreeExposed).toBe(false)
  own.expose()
  await own.ended.next()
  expect(told).toEqual([damage])
  expect(own.isTreeExposed).toBe(true)
  versions.current = { levels: [{}] }
  expect(own.isTreeExposed).toBe(false)
})

test('after any other failure it may be made again', async () => {
  const { own, told } = fixture(new IoError('write', '/db/a', 'EIO'))
  own.expose()
  await own.ended.next()
  expect(told).toHaveLength(1)
  expect(own.isTreeExposed).toBe(false)
})
