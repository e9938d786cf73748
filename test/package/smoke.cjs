/**
 * What a program does with the package: in CommonJS, so that all can load it that the package should run in. Writes
 * enough for a flush, a compaction and a collection on worker threads, reads it back in every way, closes, opens again.
 */
const assert = require('node:assert')
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const KEYS = 400

async function write(store) {
  for (let round = 0; round < 2; round++) {
    const puts = []
    for (let i = 0; i < KEYS; i++) puts.push(store.put(`key${i}`, Buffer.alloc(5000, round + i)))
    await Promise.all(puts)
    await store.flush()
  }
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
  await store.transaction(async (tx) => {
    tx.put('copy', await tx.get('key1'))
  })
  await store.put('durable', 'yes', { sync: true })
}

async function read(store) {
  const value = Buffer.alloc(5000, 2)
  assert.deepStrictEqual(await store.get('key1'), value)
  assert.deepStrictEqual(store.getSync('copy'), value)
  let count = 0
  for await (const [key] of store.entries({ prefix: 'key' })) count += key.length > 0 ? 1 : 0
  assert.strictEqual(count, KEYS)
  const stream = await store.getStream('durable')
  let text = ''
  for await (const bytes of stream) text += Buffer.from(bytes)
  assert.strictEqual(text, 'yes')
}

/** @returns what the store has warned of @throws if anything is not as it should be */
module.exports = async function smoke({ open, WiscError }) {
  const directory = mkdtempSync(join(tmpdir(), 'wisc-smoke-'))
  const warnings = []
  try {
    const store = await open(join(directory, 'store'))
    store.on('warning', (warning) => warnings.push(warning))
    await write(store)
    await read(store)
    const beside = await open(join(directory, 'store'), { readOnly: true })
    await read(beside)
    await beside.close()
    const { code } = await open(join(directory, 'store')).catch((error) => {
      assert.ok(error instanceof WiscError)
      return error
    })
    assert.strictEqual(code, 'WISC_LOCKED')
    await store.close()
    const again = await open(join(directory, 'store'))
    await read(again)
    assert.strictEqual((await again.verify()).ok, true)
    await again.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return warnings
}
