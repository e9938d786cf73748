/** Streams of Node over a database, by level-read-stream, of large values, too: what is read ahead stays small. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EntryStream, KeyStream, ValueStream } from 'level-read-stream'
import { WiscLevel } from 'wisc/level'

const directory = mkdtempSync(join(tmpdir(), 'wisc-streams-'))
const db = new WiscLevel(directory, { valueEncoding: 'buffer' })
const films = db.sublevel('films', { valueEncoding: 'buffer' })
for (let i = 0; i < 100; i++) await films.put(`film ${i}`, Buffer.alloc(1_000_000, i))

const keys = []
for await (const key of new KeyStream(films, { reverse: true })) keys.push(key)
assert.equal(keys.length, 100)
assert.deepEqual(keys, keys.toSorted().reverse())

let bytes = 0
let largest = 0
for await (const value of new ValueStream(films)) {
  bytes += value.length
  largest = Math.max(largest, process.memoryUsage().arrayBuffers)
}
assert.equal(bytes, 100_000_000)
assert(largest < 90_000_000, `${largest} bytes of values in memory at once`)

const some = []
for await (const { key, value } of new EntryStream(films, { gte: 'film 5', limit: 3 })) {
  some.push([key, value[0]])
}
assert.deepEqual(some, [
  ['film 5', 5],
  ['film 50', 50],
  ['film 51', 51],
])
await db.close()
rmSync(directory, { recursive: true })
