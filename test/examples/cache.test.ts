/** The cache of responses, by an origin that says different things of what may be kept. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

interface Cache {
  readonly hits: number
  fetch(url: string): Promise<Response>
  close(): Promise<void>
}

const EXAMPLE = path.join(import.meta.dirname, '../../examples/cache.mjs')
const { HttpCache } = (await import(EXAMPLE)) as {
  HttpCache: { open(directory: string, maxBytes: number): Promise<Cache> }
}

/** What it answers with, by the path. */
const ANSWERS: Readonly<Record<string, readonly [status: number, headers: object, kept: boolean]>> =
  {
    '/fresh': [200, { 'cache-control': 'public, max-age=3600' }, true],
    '/mine': [200, { 'cache-control': 'private, max-age=3600', vary: 'accept-encoding' }, true],
    '/packed': [200, { 'cache-control': 'max-age=3600', 'content-encoding': 'gzip' }, true],
    '/silent': [200, {}, false],
    '/never': [200, { 'cache-control': 'no-store, max-age=3600' }, false],
    '/asked': [200, { 'cache-control': 'no-cache, max-age=3600' }, false],
    '/old': [200, { 'cache-control': 'max-age=3600', age: '3600' }, false],
    '/varied': [200, { 'cache-control': 'max-age=3600', vary: '*' }, false],
    '/nothing': [204, { 'cache-control': 'max-age=3600' }, false],
    '/missing': [404, { 'cache-control': 'max-age=3600' }, false],
  }

let origin: Server
let cache: Cache
let base: string

beforeEach(async () => {
  origin = createServer(({ url = '' }, response) => {
    const [status, headers] = ANSWERS[url]!
    const isPacked = url === '/packed'
    response.writeHead(status, { 'x-path': url, ...headers })
    response.end(status === 204 ? undefined : isPacked ? gzipSync(url) : url)
  })
  origin.listen(0)
  await once(origin, 'listening')
  base = `http://localhost:${(origin.address() as AddressInfo).port}`
  cache = await HttpCache.open(temporaryDirectory(), 4 * 1024 * 1024)
})

afterEach(async () => {
  await cache.close()
  origin.closeAllConnections()
  origin.close()
})

test.each(Object.entries(ANSWERS))('%s', async (url, [status, , isKept]) => {
  for (const round of [0, 1]) {
    const response = await cache.fetch(base + url)
    expect(response.status).toBe(status)
    expect(await response.text()).toBe(status === 204 ? '' : url)
    expect(response.headers.get('x-path')).toBe(url)
    expect(cache.hits).toBe(isKept ? round : 0)
  }
})
