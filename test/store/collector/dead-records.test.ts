/**
 * What flushes and compactions hand over as dead, against what entries name: all that no entry names any more, once
 * each, and nothing that a crash brings back.
 */
import { expect, test } from 'vitest'
import type { DeadRecords } from '#dist/lib/base/dead-records.js'
import type { Snapshot } from '#dist/lib/contract/types.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { tablesOf } from '#dist/lib/state/tables.js'
import { engineOf as engineOfStore } from '#dist/lib/store/engine-of.js'
import { type Entry, type EntryCursor, KIND } from '#dist/lib/tree/entry.js'
import { crashStatesNow } from '../../support/crash/crash-states.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { CollectedStore, collectAll, keyOf } from '../../support/store/collected-store.ts'
import { settled } from '../../support/store/settled.ts'

/** Records by key and sequence, each under the address by which its entry names it. */
type Named = Map<string, string>

function engineOf({ store }: CollectedStore): Engine {
  return engineOfStore(store) as Engine
}

function* entries(cursor: EntryCursor): Generator<Entry> {
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) yield cursor.entry
}

function nameAll(cursor: EntryCursor, named: Named): void {
  for (const entry of entries(cursor)) {
    if (entry.kind !== KIND.pointer) continue
    const key = Buffer.from(entry.keyBytes.subarray(entry.keyStart, entry.keyEnd)).toString('hex')
    named.set(`${key} ${entry.sequence}`, `${entry.segment} ${entry.offset} ${entry.length}`)
  }
}

/** What the entries of all tables and memtables name now. */
function namedNow({ versions, tables, memtables }: Engine): Named {
  const named: Named = new Map()
  for (const { number } of tablesOf(versions.current)) nameAll(tables.get(number).cursor(), named)
  for (const memtable of memtables.list(versions.current.checkpoint)) {
    nameAll(memtable.cursor(), named)
  }
  return named
}

function addressesOf({ segments, counts, offsets, lengths }: DeadRecords): string[] {
  const ofEach = [...segments].flatMap((segment, i) => new Array(counts[i]!).fill(segment))
  return ofEach.map((segment, i) => `${segment} ${offsets[i]} ${lengths[i]}`)
}

/** Follows the records of a store from their entries to what is handed over. */
class Watcher {
  readonly handed: Set<string> = new Set()
  /** Under the address by which each was named last. */
  #known: Named = new Map()
  /** Is told of what was handed over, at that moment. */
  onDead: (dead: readonly string[]) => void = () => {}

  watch(engine: Engine): void {
    const { dead } = engine.space
    const add = dead.add.bind(dead)
    dead.add = (records) => {
      add(records)
      this.#died(addressesOf(records), engine)
    }
    this.look(engine)
  }

  /** To be called whenever there is a new entry. */
  look(engine: Engine): void {
    for (const [record, address] of namedNow(engine)) {
      expect(this.handed.has(address), `${address} was handed over, and is named`).toBe(false)
      this.#known.set(record, address)
    }
  }

  #died(dead: readonly string[], engine: Engine): void {
    expect(dead.filter((address) => this.handed.has(address))).toEqual([])
    for (const address of dead) this.handed.add(address)
    const named = namedNow(engine)
    const gone = [...this.#known].filter(([record]) => !named.has(record))
    expect([...dead].sort()).toEqual(gone.map(([, address]) => address).sort())
    this.#known = named
    this.onDead(dead)
  }
}

/** Puts, deletes and whatever makes tables, with a few snapshots. */
async function live(
  opened: CollectedStore,
  watcher: Watcher,
  prng: Prng,
  steps: number,
): Promise<void> {
  const snapshots: Snapshot[] = []
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < 12; i++) {
      const key = keyOf(prng.below(40))
      if (prng.chance(0.1)) await opened.delete(key)
      else await opened.put(key, prng.chance(0.2) ? prng.below(200) : 300 + prng.below(3000))
      watcher.look(engineOf(opened))
    }
    const choice = prng.below(9)
    if (choice < 4) await opened.store.flush()
    else if (choice < 6) await opened.store.compact()
    else if (choice === 6) await collectAll(opened)
    else if (choice === 7) snapshots.push(opened.store.snapshot())
    else snapshots.splice(prng.below(2), 1)[0]?.close()
    await settled(opened.fileSystem)
  }
  for (const snapshot of snapshots) snapshot.close()
}

test('all that no entry names any more is handed over once, and is never named again', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  try {
    for (let round = 0; round < 2; round++) {
      const opened = await CollectedStore.open()
      const watcher = new Watcher()
      for (let life = 0; life < 2; life++) {
        watcher.watch(engineOf(opened))
        await live(opened, watcher, prng, 16)
        await opened.closeAndReopen()
      }
      watcher.look(engineOf(opened))
      expect(watcher.handed.size).toBeGreaterThan(0)
      await opened.finish()
    }
  } catch (error) {
    throw new Error(replayHint(seed), { cause: error })
  }
})

test('I12: no crash brings an entry back whose record was handed over', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const opened = await CollectedStore.open()
  const watcher = new Watcher()
  /** What a crash may leave at that moment, and what had been handed over by then. */
  const moments: { states: FaultFileSystem[]; handed: ReadonlySet<string> }[] = []
  watcher.onDead = (dead) => {
    if (dead.length === 0 || moments.length === 8) return
    const states = [...crashStatesNow(opened.fileSystem.model, { seed, tornOfNew: 0 })].map(
      (state) => new FaultFileSystem({}, state.image()),
    )
    moments.push({ states, handed: new Set(watcher.handed) })
  }
  watcher.watch(engineOf(opened))
  await live(opened, watcher, prng, 12)
  expect(moments.length).toBeGreaterThan(2)
  for (const { states, handed } of moments) {
    for (const fileSystem of states) {
      const after = await CollectedStore.open({}, fileSystem)
      for (const address of namedNow(engineOf(after)).values()) {
        expect(handed.has(address), `${address} ${replayHint(seed)}`).toBe(false)
      }
      await after.store.close()
    }
  }
})
