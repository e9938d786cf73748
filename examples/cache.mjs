/**
 * A cache with a size limit: what was used longest ago makes room for what comes, also after a restart.
 *
 *   node examples/cache.mjs [DIRECTORY]
 *
 * Values lie under ['value', key]. ['use', turn] says which key was used when, and how large its value is: that is read
 * when the cache is opened, and kept in memory in the order of use. What goes and what comes is decided at once and
 * written as one batch, in the order of the calls, so that disk and memory agree: when a write has failed, open it again.
 * What goes gives its space back by itself.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from 'wisc'

export class Cache {
  #store
  /** Values are bytes, uses are JSON. */
  #values
  #uses
  #bytesMax
  #bytes = 0
  #turn = 0
  /** From each key to { turn, bytes }; what was used longest ago comes first. */
  #known = new Map()

  static async open(directory, bytesMax) {
    const cache = new Cache()
    cache.#bytesMax = bytesMax
    cache.#store = await open(directory)
    cache.#values = cache.#store.with({ key: 'tuple' })
    cache.#uses = cache.#store.with({ key: 'tuple', value: 'json' })
    for await (const [[, turn], { key, bytes }] of cache.#uses.entries({ prefix: ['use'] })) {
      cache.#note(key, { turn, bytes })
      cache.#turn = turn
    }
    return cache
  }

  get bytes() {
    return this.#bytes
  }

  get keys() {
    return [...this.#known.keys()]
  }

  async get(key) {
    const known = this.#known.get(key)
    if (known === undefined) return undefined
    const isLatest = known.turn === this.#turn
    // Called one right after the other: nothing can come between.
    const [value] = await Promise.all([
      this.#values.get(['value', key]),
      isLatest ? undefined : this.#store.write(this.#use(key, known.bytes)),
    ])
    return value
  }

  /** What is larger than the whole cache is not kept. */
  async put(key, value) {
    const bytes = Buffer.byteLength(value)
    if (bytes > this.#bytesMax) return this.delete(key)
    const operations = [
      this.#values.operation({ type: 'put', key: ['value', key], value }),
      ...this.#use(key, bytes),
    ]
    for (const oldest of this.#known.keys()) {
      if (this.#bytes <= this.#bytesMax) break
      operations.push(...this.#forget(oldest))
    }
    await this.#store.write(operations)
  }

  async delete(key) {
    if (this.#known.has(key)) await this.#store.write(this.#forget(key))
  }

  close() {
    return this.#store.close()
  }

  /** The key is the one that was used last. */
  #use(key, bytes) {
    const before = this.#known.get(key)
    const turn = ++this.#turn
    this.#note(key, { turn, bytes })
    return [
      ...(before ? [this.#uses.operation({ type: 'delete', key: ['use', before.turn] })] : []),
      this.#uses.operation({ type: 'put', key: ['use', turn], value: { key, bytes } }),
    ]
  }

  #note(key, use) {
    this.#bytes += use.bytes - (this.#known.get(key)?.bytes ?? 0)
    this.#known.delete(key)
    this.#known.set(key, use)
  }

  #forget(key) {
    const { turn, bytes } = this.#known.get(key)
    this.#known.delete(key)
    this.#bytes -= bytes
    return [
      this.#values.operation({ type: 'delete', key: ['value', key] }),
      this.#uses.operation({ type: 'delete', key: ['use', turn] }),
    ]
  }
}

async function demo(directory) {
  const file = path.join(directory, 'cache.db')
  const cache = await Cache.open(file, 100_000)
  await Promise.all([1, 2, 3, 4].map((i) => cache.put(`page/${i}`, Buffer.alloc(25_000, i))))
  await cache.get('page/1')
  await cache.put('page/5', Buffer.alloc(40_000, 5))
  console.log('kept:', cache.keys.join(' '), cache.bytes)
  await cache.put('page/6', Buffer.alloc(100_001))
  console.log('page/2:', await cache.get('page/2'), 'page/6:', await cache.get('page/6'))
  await cache.close()

  const again = await Cache.open(file, 100_000)
  console.log('after a restart:', again.keys.join(' '), again.bytes)
  await again.put('page/7', Buffer.alloc(30_000, 7))
  console.log('kept:', again.keys.join(' '), again.bytes)
  const value = await again.get('page/1')
  console.log(
    'page/1:',
    value.length,
    value.every((byte) => byte === 1),
  )
  await again.close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv[2]
  const directory = given ?? (await mkdtemp(path.join(tmpdir(), 'wisc-cache-')))
  await demo(directory)
  if (given === undefined) await rm(directory, { recursive: true })
}
