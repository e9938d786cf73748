/** What a cache may give up, and up to where: entries of tables, whatever is sealed. */
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { CollectorStore } from '#dist/lib/collector/act/action.js'
import { EvictableFiles } from '#dist/lib/collector/act/evictable.js'
import type { LookState } from '#dist/lib/collector/plan/decide.js'
import { atOnce } from '#dist/lib/collector/plan/in-turns.js'
import type { Space } from '#dist/lib/space/space.js'
import { EMPTY_VERSION } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { logFile } from '../../../support/parts/log-files.ts'
import { meta } from '../../../support/parts/table-metas.ts'

test('I12: a full segment whose records are in no table yet is none of what is given up, nor are they', () => {
  const table = meta(10, 'a', 'b', { largestSequence: 50 })
  const edit = {
    nextFileNumber: 100,
    addedTables: [{ level: 0, runId: 10, meta: table }],
    addedFiles: [logFile(1), logFile(2)],
    sealedFiles: [{ number: 1, length: 40_000, lastSequence: 100 }],
    checkpoint: { ordinal: 1, offset: 20_000 },
    lastSequence: 100,
  }
  const current = applyEdit(EMPTY_VERSION, edit, 1)
  const none = { tableBytes: 0 }
  const store = {
    context: { events: new EventEmitter() },
    versions: { current },
    space: { usage: { leavingBytes: 0 }, references: { olderThan: () => none } },
  } as unknown as CollectorStore
  const state = {
    rules: { segmentBytes: 1000, blockBytes: 1 },
    running: { count: 0 },
    putLimitBytes: 20_000,
    ballastBytesToCome: 0,
    usedBytes: 30_000,
  } as unknown as LookState
  const measured = { tableBytes: 100, tableGarbageBytes: 0, diskBytes: 30_000, files: [] }
  const evictable = new EvictableFiles(store)
  const decision = atOnce(evictable.decide(measured as unknown as Space, state, false))
  expect(decision.eviction).toEqual({ below: 51, files: [] })
  expect(decision.flushes).toBe(true)
})
