/** Documents that many edit at once, kept by y-leveldb: what its page shows, over a restart, and much of it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WiscLevel } from 'wisc/level'
import { LeveldbPersistence } from 'y-leveldb'
import * as Y from 'yjs'

const directory = mkdtempSync(join(tmpdir(), 'wisc-y-'))
const open = () => new LeveldbPersistence(directory, { Level: WiscLevel })

let persistence = open()
const document = new Y.Doc()
document.getArray('arr').insert(0, [1, 2, 3])
await persistence.storeUpdate('my-doc', Y.encodeStateAsUpdate(document))
const stored = []
document.on('update', (update) => stored.push(persistence.storeUpdate('my-doc', update)))
for (let i = 4; i <= 1000; i++) document.getArray('arr').push([i])
await Promise.all(stored)
await persistence.setMeta('my-doc', 'title', 'numbers')
await persistence.destroy()

persistence = open()
const numbers = (await persistence.getYDoc('my-doc')).getArray('arr').toArray()
assert.deepEqual(
  numbers,
  Array.from({ length: 1000 }, (_, i) => i + 1),
)
await persistence.flushDocument('my-doc')
assert.equal((await persistence.getYDoc('my-doc')).getArray('arr').length, 1000)
assert.deepEqual(await persistence.getAllDocNames(), ['my-doc'])
assert.equal(await persistence.getMeta('my-doc', 'title'), 'numbers')
await persistence.clearDocument('my-doc')
assert.deepEqual(await persistence.getAllDocNames(), [])
await persistence.destroy()
rmSync(directory, { recursive: true })
