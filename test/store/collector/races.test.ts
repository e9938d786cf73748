/**
 * Races between the collector and everything else, each as a deterministic test: a job is stopped where it matters,
 * the other thing happens, the job goes on. After each the store must hold what the model says, be proved whole (I8),
 * keep no orphan, and open again with the same.
 *
 * Source: RELIABILITY.md 1.4 (Badger #2286, #345, #578) and the issue of the collector.
 */
import { describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { crashStatesNow } from '../../support/crash/crash-states.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  actions,
  CollectedStore,
  changeAll,
  collectAll,
  filled,
  keyOf,
  lengthOf,
  PUNCHES,
} from '../../support/store/collected-store.ts'
import { settled } from '../../support/store/settled.ts'

/** Larger values are always read by the thread pool. */
const POOL_BYTES = 1_200_000
const IN_POOL: Options = { segmentBytes: 8 * 1024 * 1024 }
const POINTS = ['before', 'after'] as const

describe.each(POINTS)('%s the rewrite', (point) => {
  test('I7: a delete and a compaction of the last level while a segment is rewritten (Badger #2286)', async () => {
    const opened = await filled('rewrite')
    opened.runner.hold('rewrite', point)
    const collected = collectAll(opened)
    await opened.runner.reached('rewrite')
    for (let i = 0; i < 48; i += 3) await opened.delete(keyOf(i))
    await opened.store.compact()
    opened.runner.release('rewrite')
    expect(actions(await collected)).toContain('rewrite')
    await opened.check()
    await opened.store.compact()
    await collectAll(opened)
    await opened.finish()
  })

  test('I7: everything is deleted and forgotten while it is rewritten', async () => {
    const opened = await filled('rewrite')
    opened.runner.hold('rewrite', point)
    const collected = collectAll(opened)
    await opened.runner.reached('rewrite')
    for (const key of [...opened.model.keys()]) await opened.delete(key)
    await opened.store.compact()
    opened.runner.release('rewrite')
    await collected
    await collectAll(opened)
    expect(opened.store.segments().filter(({ kind }) => kind === 'relocation')).toEqual([])
    await opened.finish()
  })

  test('a flush beside it', async () => {
    const opened = await filled('rewrite')
    opened.runner.hold('rewrite', point)
    const collected = collectAll(opened)
    await opened.runner.reached('rewrite')
    await changeAll(opened, 700)
    await opened.store.flush()
    opened.runner.release('rewrite')
    await collected
    await opened.finish()
  })

  test('a compaction that began before it, and ends after it', async () => {
    const opened = await filled('rewrite')
    for (let i = 0; i < 48; i += 3) await opened.put(keyOf(i), 700)
    opened.runner.hold('compaction', point)
    const compacted = opened.store.compact()
    await opened.runner.reached('compaction')
    const plan = await opened.store.planCollection({ targetSpaceAmplification: 1.01 })
    const report = await opened.store.collect({ plan })
    expect(actions(report)).toContain('rewrite')
    opened.runner.release('compaction')
    await compacted
    await opened.check()
    await collectAll(opened)
    await opened.finish()
  })
})

describe.each(POINTS)('%s it', (point) => {
  test.each(['mark', 'walk', 'punch'] as const)('I12: overwrites during a %s', async (kind) => {
    const opened = await filled('mark')
    // A walk looks for what is hidden.
    if (kind === 'walk') {
      await opened.put(keyOf(1), 20_000)
      await opened.store.flush()
    }
    opened.runner.hold(kind, point)
    const collected = collectAll(opened)
    await opened.runner.reached(kind)
    await changeAll(opened, 20_000)
    await opened.store.compact()
    opened.runner.release(kind)
    await collected
    await opened.finish()
  })

  test.each(['mark', 'punch'] as const)(
    'I12: writes that are not durable kill nothing, %s',
    async (kind) => {
      const opened = await filled(kind)
      opened.runner.hold(kind, point)
      const collected = collectAll(opened)
      await opened.runner.reached(kind)
      // Neither flushed nor synced: what they overwrite must survive a power cut.
      const durable = opened.copyModel()
      await changeAll(opened, 20_000)
      opened.runner.release(kind)
      expect(actions(await collected)).toContain('punch')
      for (const state of crashStatesNow(opened.fileSystem.model, { seed: 1, tornOfNew: 0 })) {
        const after = await CollectedStore.open(PUNCHES, new FaultFileSystem({}, state.image()))
        for (const [key, value] of durable) {
          const found = after.store.getSync(key)
          const isRight = found?.equals(value) || found?.equals(opened.model.get(key)!)
          expect(isRight, `${key} after ${state.choice}`).toBe(true)
        }
        await after.store.close()
      }
      await opened.finish()
    },
  )
})

describe.each(['rewrite', 'mark', 'punch'] as const)('a snapshot and the %s', (kind) => {
  test.each(POINTS)('taken %s it: what it sees stays', async (point) => {
    const opened = await filled(kind)
    opened.runner.hold(kind, point)
    const collected = collectAll(opened)
    await opened.runner.reached(kind)
    const snapshot = opened.store.snapshot()
    const seen = opened.copyModel()
    await changeAll(opened, lengthOf(kind))
    await opened.store.compact()
    opened.runner.release(kind)
    await collected
    await opened.check(seen, snapshot)
    await collectAll(opened)
    await opened.check(seen, snapshot)
    snapshot.close()
    await collectAll(opened)
    await opened.finish()
  })

  test.each(POINTS)('released %s it: what it saw goes later', async (point) => {
    const opened = await filled(kind)
    const snapshot = opened.store.snapshot()
    const seen = opened.copyModel()
    for (let i = 1; i < opened.model.size; i += 4) await opened.put(keyOf(i), lengthOf(kind))
    await opened.store.compact()
    opened.runner.hold(kind, point)
    const collected = collectAll(opened)
    await opened.runner.reached(kind)
    await opened.check(seen, snapshot)
    snapshot.close()
    await opened.store.compact()
    opened.runner.release(kind)
    await collected
    await collectAll(opened)
    const { spaceAmplification } = (await opened.store.planCollection()).before
    expect(spaceAmplification).not.toBeNull()
    await opened.finish()
  })
})

describe('reads that are under way', () => {
  /** A get of a large value whose read stands in the thread pool. */
  function heldGet(opened: CollectedStore, key: string) {
    let goOn = (): void => {}
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    opened.fileSystem.holdRead = () => gate
    const expected = opened.model.get(key)!
    const value = opened.store.get(key)
    return {
      expected,
      value,
      release: (): void => {
        opened.fileSystem.holdRead = undefined
        goOn()
      },
    }
  }

  test('I5: a get across the punch of its record returns the old bytes', async () => {
    const opened = await CollectedStore.open(IN_POOL)
    for (let i = 0; i < 4; i++) await opened.put(keyOf(i), POOL_BYTES)
    await opened.store.flush()
    const get = heldGet(opened, keyOf(1))
    await opened.put(keyOf(1), 500)
    await opened.store.compact()
    let ended = false
    const collected = opened.store.collect({ targetSpaceAmplification: 1.3 }).then((report) => {
      ended = true
      return report
    })
    await settled(opened.fileSystem)
    expect(ended, 'the punch waits for the read').toBe(false)
    get.release()
    expect((await get.value)?.equals(get.expected)).toBe(true)
    expect(actions(await collected)).toContain('punch')
    await opened.finish()
  })

  test('I5: a get that begins between the version of a punch and its holes returns its bytes', async () => {
    const opened = await CollectedStore.open(IN_POOL)
    for (let i = 0; i < 4; i++) await opened.put(keyOf(i), POOL_BYTES)
    await opened.put(keyOf(1), 500)
    await opened.store.compact()
    opened.runner.hold('punch', 'before')
    const collected = opened.store.collect({ targetSpaceAmplification: 1.3 })
    await opened.runner.reached('punch')
    const get = heldGet(opened, keyOf(2))
    await opened.delete(keyOf(2))
    await opened.store.compact()
    opened.runner.release('punch')
    await settled(opened.fileSystem)
    get.release()
    expect((await get.value)?.equals(get.expected)).toBe(true)
    await collected
    await opened.finish()
  })

  test.each([
    ['dropped', 0],
    ['rewritten', 3],
  ])(
    'I5: a get across the unlink of its file, which is %s, returns the old bytes',
    async (_, kept) => {
      const opened = await CollectedStore.open({
        ...IN_POOL,
        collector: { enabled: false, punchHoles: false },
      })
      for (let i = 0; i < 4; i++) await opened.put(keyOf(i), POOL_BYTES)
      for (let i = 0; i < kept; i++) await opened.put(`kept${i}`, 800)
      await opened.store.flush()
      const get = heldGet(opened, keyOf(1))
      for (let i = 0; i < 4; i++) await opened.delete(keyOf(i))
      await opened.store.compact()
      const before = opened.store.segments().map(({ file }) => file)
      const report = await collectAll(opened)
      expect(actions(report)).toEqual([kept > 0 ? 'rewrite' : 'drop'])
      const after = opened.store.segments().map(({ file }) => file)
      expect(before.filter((file) => after.includes(file))).toEqual([])
      get.release()
      expect((await get.value)?.equals(get.expected)).toBe(true)
      await opened.finish()
    },
  )

  test('I5: an iterator across punches and unlinks sees what it saw', async () => {
    for (const kind of ['punch', 'rewrite']) {
      const opened = await filled(kind)
      const seen = [...opened.copyModel()].sort(([left], [right]) => (left < right ? -1 : 1))
      const iterator = opened.store.entries({ highWaterMarkBytes: 1 })
      const found: [Buffer, Buffer][] = []
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 2; i++) {
          const { value } = await iterator.next()
          if (value) found.push(value)
        }
        await changeAll(opened, lengthOf(kind))
        await opened.store.compact()
        await collectAll(opened)
      }
      for await (const entry of iterator) found.push(entry)
      expect(found.map(([key]) => key.toString())).toEqual(seen.map(([key]) => key))
      for (const [index, [, value]] of found.entries()) {
        expect(value.equals(seen[index]![1]), `value of ${seen[index]![0]}`).toBe(true)
      }
      await opened.store.compact()
      await collectAll(opened)
      await opened.finish()
    }
  })

  test('I8: verify beside rewrites finds no damage', async () => {
    const opened = await filled('rewrite')
    await collectAll(opened)
    for (let round = 0; round < 4; round++) {
      for (let i = round; i < 48; i += 5) await opened.put(keyOf(i), 700)
      await opened.store.compact()
      const verified = opened.store.verify()
      await collectAll(opened)
      expect((await verified).damage).toEqual([])
    }
    // An open file was unlinked, that which verify read: allowed where files can be.
    await opened.check()
  })
})
