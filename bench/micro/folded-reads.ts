/**
 * Micro-benchmark of what a get pays for where its record lies: as it was written, moved to a relocation, and folded,
 * so that its pointer names the relocation. Not a part of `npm run bench`; run it alone on an idle machine:
 * `node dist/bench/micro/folded-reads.js [KEYS]`. Microseconds of the processor for a synchronous get, from the page
 * cache; the best of its rounds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { joinPath } from '../../lib/base/files/file-names.ts'
import type { Engine } from '../../lib/engine/engine.ts'
import { engineOf } from '../../lib/store/engine-of.ts'
import { openStore } from '../../lib/store/open-store.ts'
import type { Store } from '../../lib/store/store.ts'

const KEYS = Number(process.argv[2] ?? 4000)
const ROUNDS = 40
const VALUE_BYTES = 1024
/** Segments of 64 records, half of which stay: so few that a compaction folds the pointers into them. */
const SEGMENT_BYTES = 72 * 1024
/** Compactions: each folds into a bounded number of relocations. */
const COMPACTIONS_MAX = 8

const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-folded-reads-'))
const value = Buffer.alloc(VALUE_BYTES, 7)
const keys = Array.from({ length: KEYS }, (_, i) => Buffer.from(String(i).padStart(16, '0')))

function print(what: string, store: Store): void {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    for (const key of keys) store.getSync(key)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / KEYS)
  }
  console.log(`a get of a record ${what}: ${best.toFixed(2)} us`)
}

try {
  const store = await openStore(directory, {
    segmentBytes: SEGMENT_BYTES,
    collector: { enabled: false },
  })
  for (const [i, key] of keys.entries()) {
    await store.put(key, value)
    await store.put(`junk${i}`, value)
  }
  await store.compact()
  print('as it was written', store)
  for (let i = 0; i < KEYS; i++) await store.delete(`junk${i}`)
  await store.collect()
  const { work, version } = engineOf(store) as Engine
  const before = work.counts.foldedPointers
  console.log(`  relocations: ${store.stats().relocations}, folded already: ${before}`)
  print('in a relocation', store)
  for (let i = 0; i < COMPACTIONS_MAX && work.counts.foldedPointers < KEYS; i++) {
    await store.compact()
  }
  console.log(
    `  folded pointers: ${work.counts.foldedPointers} of ${KEYS}, tables ${version.tables.size}`,
  )
  print('in a relocation, folded', store)
  await store.close()
} finally {
  rmSync(directory, { recursive: true })
}
