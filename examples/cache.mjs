/**
 * A cache of HTTP responses on disk, which never takes more of it than it may.
 *
 *   node examples/cache.mjs [DIRECTORY]
 *
 * The store is a cache: when it is full, what was put first makes room for what comes. A response expires when its origin
 * says. Nothing else has to be kept or cleaned up: whatever is missing is asked for anew, also after a restart.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from 'wisc'

export class HttpCache {
  #store
  hits = 0
  misses = 0

  static async open(directory, maxBytes) {
    const cache = new HttpCache()
    cache.#store = await open(directory, { cache: { maxBytes } })
    return cache
  }

  /** A GET by the global fetch, unless there is a fresh response. All requests are alike, so one response each will do. */
  async fetch(url) {
    const stored = await this.#store.get(url)
    if (stored) {
      this.hits++
      return decode(stored)
    }
    this.misses++
    const response = await fetch(url)
    const ttl = freshMs(response)
    if (ttl <= 0) return response
    const encoded = await encode(response)
    await this.#store.put(url, encoded, { ttl })
    return decode(encoded)
  }

  stats() {
    return this.#store.stats()
  }

  close() {
    return this.#store.close()
  }
}

/** How long a response may be given again. The cache is that of one user, as a browser's is: "private" is no hindrance. */
function freshMs({ status, headers }) {
  const control = headers.get('cache-control') ?? ''
  if (status !== 200 || /no-store|no-cache/.test(control) || headers.get('vary') === '*') return 0
  const [, seconds = 0] = /max-age=(\d+)/.exec(control) ?? []
  return (seconds - Number(headers.get('age') ?? 0)) * 1000
}

/** Of the bytes that came: fetch has decoded them. */
const OF_TRANSFER = ['content-encoding', 'content-length', 'transfer-encoding']

/** The length of the head, the head as JSON, the body. */
async function encode(response) {
  const headers = [...response.headers].filter(([name]) => !OF_TRANSFER.includes(name))
  const head = Buffer.from(JSON.stringify({ status: response.status, headers }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  return Buffer.concat([length, head, Buffer.from(await response.arrayBuffer())])
}

function decode(bytes) {
  const end = 4 + bytes.readUInt32LE(0)
  const head = JSON.parse(String(bytes.subarray(4, end)))
  return new Response(bytes.subarray(end), head)
}

async function demo(directory) {
  const maxBytes = 4 * 1024 * 1024
  let asked = 0
  const origin = createServer(({ url }, response) => {
    asked++
    const isFresh = url.startsWith('/page')
    response.setHeader('cache-control', isFresh ? 'max-age=3600' : 'no-store')
    response.end(Buffer.alloc(isFresh ? 100_000 : 10, url))
  })
  await new Promise((resolve) => origin.listen(0, resolve))
  const base = `http://localhost:${origin.address().port}`
  const file = path.join(directory, 'http-cache.db')

  const cache = await HttpCache.open(file, maxBytes)
  for (const name of ['page/1', 'page/2', 'page/1', 'now', 'now'])
    await cache.fetch(`${base}/${name}`)
  console.log('asked', asked, 'times, hits', cache.hits, 'misses', cache.misses)
  for (let i = 1; i <= 100; i++) await cache.fetch(`${base}/page/${i}`)
  const { diskBytes, evicted } = cache.stats()
  console.log('10 MB went through', diskBytes <= maxBytes, evicted.belowSequence > 0)
  await cache.close()

  const again = await HttpCache.open(file, maxBytes)
  const body = await (await again.fetch(`${base}/page/100`)).text()
  await again.fetch(`${base}/page/1`)
  console.log(
    'after a restart: the last is there',
    again.hits,
    'the first was evicted',
    again.misses,
  )
  console.log(body.length, body.startsWith('/page/100/page/100'))
  await again.close()
  origin.closeAllConnections()
  origin.close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv[2]
  const directory = given ?? (await mkdtemp(path.join(tmpdir(), 'wisc-cache-')))
  await demo(directory)
  if (given === undefined) await rm(directory, { recursive: true })
}
