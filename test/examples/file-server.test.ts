/** The file server, by a real client: ranges side by side, uploads that break off, and kill -9 in one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { nextLine } from '../support/processes/child-process.ts'
import { unlikeBytes } from '../support/random.ts'

const SERVER = path.join(import.meta.dirname, '../../examples', 'file-server.mjs')
const MIB = 1024 * 1024
const FILE = unlikeBytes(9 * MIB + 17)

let directory: string
let server: ChildProcess
let url: string

beforeEach(async () => {
  directory = temporaryDirectory()
  await start()
})

afterEach(kill)

async function start(): Promise<void> {
  server = spawn(process.execPath, [SERVER, directory, '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  url = await nextLine(server)
}

async function kill(): Promise<void> {
  server.kill('SIGKILL')
  if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
}

async function put(name: string, body: Uint8Array): Promise<number> {
  const response = await fetch(`${url}/${name}`, { method: 'PUT', body: new Uint8Array(body) })
  return response.status
}

async function get(name: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/${name}`, { headers })
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer())
}

/** Begins an upload of which the second half never comes. */
async function half(name: string): Promise<ReturnType<typeof request>> {
  const upload = request(`${url}/${name}`, {
    method: 'PUT',
    headers: { 'content-length': FILE.length },
  })
  upload.on('error', () => {})
  await new Promise((resolve) => upload.write(FILE.subarray(0, FILE.length / 2), resolve))
  return upload
}

test('stores, serves whole and in ranges, says what is there, takes away', async () => {
  expect((await get('film')).status).toBe(404)
  expect(await put('film', FILE)).toBe(204)
  const whole = await get('film')
  expect(whole.status).toBe(200)
  expect((await bytesOf(whole)).equals(FILE)).toBe(true)
  const etag = whole.headers.get('etag')!
  const head = await fetch(`${url}/film`, { method: 'HEAD' })
  expect(head.headers.get('content-length')).toBe(`${FILE.length}`)
  expect([head.headers.get('etag'), head.headers.get('accept-ranges')]).toEqual([etag, 'bytes'])
  const ranges: [range: string, from: number, to: number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=5000000-', 5_000_000, FILE.length],
    ['bytes=-1000', FILE.length - 1000, FILE.length],
    ['bytes=-99999999', 0, FILE.length],
    [`bytes=${FILE.length - 1}-99999999`, FILE.length - 1, FILE.length],
    ...Array.from({ length: 20 }, (_, i): [string, number, number] => {
      return [`bytes=${i * 400_000}-${i * 400_000 + 299_999}`, i * 400_000, i * 400_000 + 300_000]
    }),
  ]
  const served = ranges.map(async ([range, from, to]) => {
    const response = await get('film', { range, 'if-range': etag })
    expect(response.status, range).toBe(206)
    expect(response.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/${FILE.length}`)
    expect((await bytesOf(response)).equals(FILE.subarray(from, to)), range).toBe(true)
  })
  await Promise.all(served)
  const behind = await get('film', { range: `bytes=${FILE.length}-` })
  expect([behind.status, behind.headers.get('content-range')]).toEqual([
    416,
    `bytes */${FILE.length}`,
  ])
  for (const headers of [
    { range: 'bytes=9-3' },
    { range: 'lines=1-2' },
    { range: 'bytes=0-9', 'if-range': '"other"' },
  ]) {
    const response = await get('film', headers)
    expect(response.status).toBe(200)
    await response.body!.cancel()
  }
  expect(await put('empty', new Uint8Array(0))).toBe(204)
  expect((await bytesOf(await get('empty'))).length).toBe(0)
  expect((await get('empty', { range: 'bytes=0-' })).status).toBe(416)
  expect((await fetch(`${url}/film`, { method: 'DELETE' })).status).toBe(204)
  expect((await get('film')).status).toBe(404)
  expect((await fetch(`${url}/film`, { method: 'POST' })).status).toBe(405)
  expect((await get('%ff')).status).toBe(400)
  expect(await put('/one', Buffer.from('1'))).toBe(204)
  expect([(await get('')).status, (await get('/two')).status]).toEqual([404, 404])
  expect(await (await get('/one')).text()).toBe('1')
})

test('sends nothing again to who has it', async () => {
  await put('film', Buffer.from('film'))
  const etag = (await get('film')).headers.get('etag')!
  for (const tags of [etag, `"other", ${etag}`, `W/${etag}`, '*']) {
    const response = await get('film', { 'if-none-match': tags })
    expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([
      304,
      '',
      etag,
    ])
  }
  await put('film', Buffer.from('another'))
  expect(await (await get('film', { 'if-none-match': etag })).text()).toBe('another')
})

test('told to end, it ends what is under way and closes the store', async () => {
  await put('film', FILE)
  const download = await get('film')
  server.kill('SIGTERM')
  expect((await bytesOf(download)).equals(FILE)).toBe(true)
  if (server.exitCode === null) await once(server, 'exit')
  expect([server.exitCode, server.signalCode]).toEqual([0, null])
  const store = await open(directory)
  expect(store.stats().recovery.clean).toBe(true)
  await store.close()
})

test('uploads that break off leave what was there; downloads end as they began', async () => {
  await put('film', FILE)
  for (let i = 0; i < 3; i++) (await half('film')).destroy()
  expect((await bytesOf(await get('film'))).equals(FILE)).toBe(true)
  const before = await get('film')
  await put('film', unlikeBytes(3 * MIB, 2))
  expect((await bytesOf(before)).equals(FILE)).toBe(true)
  // Who hangs up in the middle ends nothing but the own download.
  const other = await get('film')
  await other.body!.cancel()
  expect((await bytesOf(await get('film'))).equals(unlikeBytes(3 * MIB, 2))).toBe(true)
})

test('kill -9 in uploads: what was acknowledged is there, nothing of the others', async () => {
  await put('film', FILE)
  await half('film')
  await half('another')
  await kill()
  await start()
  expect((await bytesOf(await get('film'))).equals(FILE)).toBe(true)
  expect((await get('another')).status).toBe(404)
  await kill()
  const store = await open(directory)
  expect((await store.verify()).ok).toBe(true)
  await store.close()
})
