/** The control socket of an open store: who may, what lies there, what it answers, and what it does not take. */
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { ControlClient } from '#dist/lib/inspect/owner/control-client.js'
import { eventually } from '../../support/eventually.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { startModule } from '../../support/processes/child-process.ts'
import {
  connect,
  connectRaw,
  openedSocketOf,
  request,
  SMALL,
  socketOf,
  withStore,
} from '../../support/processes/control-socket.ts'

/** Half of what is stored is garbage afterwards. */
async function fill(store: Store, keys = 400): Promise<void> {
  for (const round of ['old', 'new']) {
    for (let i = 0; i < keys; i++) await store.put(`key ${i}`, round.padEnd(2000, '.'))
  }
  await store.flush()
}

test('it is there while the store is open, for its owner alone, and not in the directory', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const umask = process.umask(0)
  let socket: string
  try {
    const store = await open(db, SMALL)
    socket = await openedSocketOf(db)
    expect(path.dirname(socket)).not.toBe(db)
    expect(fs.lstatSync(socket).isSocket()).toBe(true)
    expect(fs.lstatSync(socket).mode & 0o777).toBe(0o600)
    expect(fs.lstatSync(path.dirname(socket)).mode & 0o777).toBe(0o700)
    const reader = await open(db, { readOnly: true })
    await reader.close()
    expect(fs.existsSync(socket), 'a reader leaves it alone').toBe(true)
    await expect(open(db, SMALL)).rejects.toMatchObject({ code: 'WISC_LOCKED' })
    expect(fs.existsSync(socket), 'who has not the lock leaves it alone').toBe(true)
    await store.close()
  } finally {
    process.umask(umask)
  }
  expect(fs.existsSync(socket)).toBe(false)
  expect(await ControlClient.connect(db)).toBeUndefined()
})

test('a store that is closed at once has none, and leaves none', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, SMALL)
  const socket = socketOf(db)
  await store.close()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(fs.existsSync(socket)).toBe(false)
})

test('none with the option, and none for a reader', async () => {
  await withStore(
    async (_store, db) => {
      expect(() => socketOf(db)).toThrow()
      expect(await ControlClient.connect(db)).toBeUndefined()
    },
    { controlSocket: false },
  )
})

test('every request has its answer', async () => {
  await withStore(
    async (store, db) => {
      await fill(store)
      const client = await connect(db)
      const snapshot = store.snapshot()
      const iterator = store.keys()
      await iterator.next()
      const { lastSequence, ...readers } = await client.ask('snapshots')
      expect(lastSequence).toBe(800)
      expect(readers).toEqual({
        readers: [{ sequence: 800, count: 2 }],
        snapshots: 1,
        iterators: 1,
      })
      snapshot.close()
      await iterator.close()
      const segments = (): object[] =>
        store.segments().map(({ blocked, ...rest }) => ({ ...rest, ...(blocked && { blocked }) }))
      // A frame that says how much is durable may come meanwhile.
      const before = segments()
      const asked = await client.ask('segments')
      expect([before, segments()]).toContainEqual(asked)
      expect(await client.ask('flush')).toEqual({})
      expect(await client.ask('compact')).toEqual({})
      const plan = await client.ask('planCollection', { options: { targetSpaceAmplification: 1 } })
      expect(plan.steps.length).toBeGreaterThan(0)
      const phases: string[] = []
      const report = await client.ask('collect', {
        options: { plan },
        onProgress: ({ phase }) => phases.push(phase),
      })
      expect(report.steps.length).toBe(plan.steps.length)
      expect(phases.at(-1)).toBe('done')
      const again = client.ask('collect', { options: { plan } })
      await expect(again).rejects.toMatchObject({ code: 'WISC_STALE' })
      const { diskBytes, spaceAmplification } = await client.ask('stats')
      expect([diskBytes, spaceAmplification]).toEqual([
        store.stats().diskBytes,
        store.stats().spaceAmplification,
      ])
      client.close()
    },
    { collector: { enabled: false } },
  )
})

test('two clients at the same time', async () => {
  await withStore(async (store, db) => {
    await fill(store)
    const clients = await Promise.all([connect(db), connect(db)])
    const work = clients.map(async (client) => {
      for (let i = 0; i < 20; i++) {
        expect((await client.ask('stats')).lastSequence).toBe(800)
        await client.ask('planCollection')
      }
      return client.ask('collect', { options: { targetSpaceAmplification: 1.1 } })
    })
    const reports = await Promise.all(work)
    expect(reports.every(({ failed }) => failed.length === 0)).toBe(true)
    for (const client of clients) client.close()
  })
})

test('who goes away cancels what it has asked for; the store goes on', async () => {
  await withStore(
    async (store, db) => {
      await fill(store)
      const aborted = new AbortController()
      const client = await connect(db)
      const slow = { targetSpaceAmplification: 1, bytesPerSecond: 4096 }
      const collecting = client.ask('collect', { options: slow, signal: aborted.signal })
      const raw = await connectRaw(db)
      raw.send(request('collect', slow))
      await new Promise((resolve) => setTimeout(resolve, 100))
      aborted.abort()
      raw.socket.destroy()
      await expect(collecting).rejects.toMatchObject({ code: 'WISC_ABORTED' })
      // At 4 KiB a second these two would take minutes, and this one would wait for them.
      const other = await connect(db)
      await other.ask('collect', { options: { targetSpaceAmplification: 1 } })
      expect(store.getSync('key 7')?.toString()).toMatch(/^new/)
      expect((await store.verify()).damage).toEqual([])
      other.close()
    },
    { collector: { enabled: false } },
  )
})

test('a close ends conversations at once, and keeps nobody waiting', async () => {
  await withStore(
    async (store, db) => {
      await fill(store)
      const client = await connect(db)
      const idle = await connectRaw(db)
      const collecting = client.ask('collect', {
        options: { targetSpaceAmplification: 1, bytesPerSecond: 4096 },
      })
      const failed = expect(collecting).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
      await new Promise((resolve) => setTimeout(resolve, 50))
      await store.close()
      await failed
      expect(JSON.parse(await idle.closed())).toMatchObject({ error: { code: 'WISC_NOT_OPEN' } })
    },
    { collector: { enabled: false } },
  )
})

test('a socket and its connections do not keep the process alive', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const child = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
     await open(process.argv[1], { workers: 0 })
     console.log('open')
     process.stdin.resume()`,
    db,
  )
  const ended = new Promise((resolve) => child.on('close', resolve))
  await new Promise((resolve) => child.stdout!.once('data', resolve))
  const raw = await connectRaw(db)
  raw.send(request('stats'))
  expect(await raw.answer()).toHaveProperty('result')
  // From now on nothing but the socket and this connection is left.
  child.stdin!.end()
  expect(await ended).toBe(0)
})

test('hostile requests are refused, one by one, without a trace of the code', async () => {
  await withStore(async (store, db) => {
    await store.put('secret key', 'secret value')
    const raw = await connectRaw(db)
    const refused = [
      'hello\n',
      '\n',
      'null\n',
      '[]\n',
      '7\n',
      `${'['.repeat(30_000)}\n`,
      '{"version":2,"request":"stats"}\n',
      '{"request":"stats"}\n',
      '{"version":1,"request":"stats","id":"x"}\n',
      '{"version":1,"request":7}\n',
      '{"version":1,"request":"get","options":{"key":"secret key"}}\n',
      request('constructor'),
      request('__proto__'),
      request('stats', { key: 1 }),
      request('collect', { signal: 1 }),
      request('collect', { onProgress: 1 }),
      request('collect', { segments: 'all' }),
      request('collect', { targetSpaceAmplification: -1 }),
      request('collect', { plan: { steps: [null] } }),
      request('collect', { plan: { databaseId: 'x', steps: [{ action: 'drop' }] } }),
      '{"version":1,"request":"collect","options":[]}\n',
      '{"version":1,"request":"collect","options":{"__proto__":{"segments":[1]}}}\n',
      Buffer.from([0xff, 0xfe, 0, 10]).toString('latin1'),
    ]
    for (const text of refused) {
      raw.send(text)
      const { error } = (await raw.answer()) as { error: { code: string; message: string } }
      expect(error, text.slice(0, 60)).toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
      expect(error.message).not.toMatch(/ at |\.[jt]s|secret value/)
    }
    // In pieces, several at once, and with the id of whoever asks.
    for (const piece of request('flush', {}, 5)) raw.send(piece)
    raw.send(request('stats', {}, 6) + request('snapshots', {}, 7))
    for (const id of [5, 6, 7]) {
      const answer = await raw.answer()
      expect(answer).toMatchObject({ id })
      expect(answer).toHaveProperty('result')
    }
    raw.socket.destroy()
  })
})

test('a line without end and a flood of requests end the connection', async () => {
  await withStore(async (_store, db) => {
    const flood = request('planCollection').repeat(2000)
    for (const text of ['x'.repeat(70_000), flood]) {
      const raw = await connectRaw(db)
      raw.send(text)
      expect(await raw.closed()).toContain('too long')
    }
    const client = await connect(db)
    const long = client.ask('collect', { options: { segments: Array(70_000).fill(1) } })
    await expect(long).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    client.close()
  })
})

test('more connections than are served are turned away, and room comes back', async () => {
  await withStore(async (_store, db) => {
    const many = await Promise.all(Array.from({ length: 16 }, () => connectRaw(db)))
    const client = await connect(db)
    await expect(client.ask('stats')).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
    for (const { socket } of many) socket.destroy()
    await eventually(async () => {
      const next = await connect(db)
      expect((await next.ask('stats')).lastSequence).toBe(0)
      next.close()
    })
  })
})

test('who does not read its answers holds up nobody else', async () => {
  await withStore(async (store, db) => {
    await fill(store)
    const deaf = net.connect({ path: socketOf(db) })
    deaf.pause()
    for (let i = 0; i < 500; i++) deaf.write(request('segments'))
    const client = await connect(db)
    expect((await client.ask('stats')).lastSequence).toBe(800)
    client.close()
    deaf.destroy()
  })
})

test('a snapshot is held for as long as the connection lives, and once for each', async () => {
  await withStore(async (store, db) => {
    await store.put('key', 'old')
    const [first, second] = [await connect(db), await connect(db)]
    const { sequence } = await first.ask('hold')
    expect(await first.ask('hold')).toEqual({ sequence })
    await store.put('key', 'new')
    expect((await second.ask('hold')).sequence).toBeGreaterThan(sequence)
    expect((await second.ask('snapshots')).readers.map((reader) => reader.sequence)).toContain(
      sequence,
    )
    expect(store.stats().snapshots.open).toBe(2)
    first.close()
    second.close()
    await eventually(() => expect(store.stats().snapshots.open).toBe(0))
  })
})

test('the owner says how it has the store open', async () => {
  await withStore(
    async (store, db) => {
      const client = await connect(db)
      const facts = { pid: process.pid, targetSpaceAmplification: 2, segmentBytes: 65536 }
      expect(await client.ask('owner')).toMatchObject({ ...facts, collector: 'on' })
      store.pauseCollector()
      expect(await client.ask('owner')).toMatchObject({ collector: 'paused' })
      client.close()
    },
    { collector: { targetSpaceAmplification: 2 } },
  )
})
