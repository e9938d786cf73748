/** putStream: sources that are something else besides, and what becomes of a source when the call is refused. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { codeOf } from '../../support/store/fault-store.ts'

let directory: string
let store: Store

beforeEach(async () => {
  directory = await fs.mkdtemp(path.join(tmpdir(), 'wisc-sources-'))
  store = await open(path.join(directory, 'db'))
})

afterEach(async () => {
  await store.close()
  await fs.rm(directory, { recursive: true, force: true })
})

test('a stream of a file that is open already is no file handle', async () => {
  const file = path.join(directory, 'file')
  const value = Buffer.alloc(200_000, 'text')
  await fs.writeFile(file, value)
  const stream = createReadStream(file)
  await once(stream, 'open')
  expect(await store.putStream('key', stream)).toMatchObject({ size: value.length })
  expect((await store.get('key'))?.equals(value)).toBe(true)
})

test('a stream that fails while it waits for its turn', async () => {
  let openGate = (): void => {}
  const gate = new Promise<void>((resolve) => {
    openGate = resolve
  })
  const slow = async function* (): AsyncGenerator<Uint8Array, void> {
    await gate
    yield Buffer.from('text')
  }
  const before = Array.from({ length: 16 }, (_, i) => store.putStream(`slow${i}`, slow()))
  const missing = createReadStream(path.join(directory, 'missing'))
  // Nobody else listens: an event without a listener would be an error of the process.
  const closed = new Promise<void>((resolve) => missing.on('close', () => resolve()))
  const last = codeOf(() => store.putStream('key', missing))
  await closed
  openGate()
  expect(await last).toBe('ENOENT')
  await Promise.all(before)
})

test('of a call that is refused the source is cancelled, too', async () => {
  for (const options of [
    { size: -1 },
    { compression: 'zstd' },
    { if: { absent: false } },
    { if: {} },
    null,
  ]) {
    const source = Readable.from([Buffer.from('text')])
    const upload = (): Promise<unknown> => store.putStream('key', source, options as never)
    expect(await codeOf(upload)).toBe('WISC_INVALID_ARGUMENT')
    expect(source.destroyed).toBe(true)
  }
  expect(await store.has('key')).toBe(false)
})

test('options that are there and undefined are not given', async () => {
  await store.put('key', 'value')
  const read = { offset: undefined, length: undefined, snapshot: undefined } as object
  expect((await store.get('key', read))?.toString()).toBe('value')
  expect(store.getSync('key', read)?.toString()).toBe('value')
  expect(await store.get('key', { ...read, withSequence: true })).toMatchObject({ sequence: 1 })
})
