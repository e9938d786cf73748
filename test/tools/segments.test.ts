/** segments, map and explain through the real command: at rest, beside a process with a snapshot, and damaged. */
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type CollectionPlan, open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { holdOpen, storeWithGarbage, tell } from '../support/store/busy-store.ts'
import { startBusyWriter } from '../support/store/busy-writer.ts'

interface Row {
  readonly number: number
  readonly file: string
  readonly kind: string
  readonly state: string
  readonly totalBytes: number
  readonly referencedBytes: number
  readonly exposedGarbageBytes: number
  readonly hiddenBytes: number | null
  readonly pinnedBytes: number | null
  readonly ageSeconds: number
  readonly action: string | null
  readonly reason: string | null
}

interface Map {
  readonly file: string
  readonly totalBytes: number
  readonly cellBytes: number
  readonly cells: readonly Record<'live' | 'dead' | 'recent', number>[]
  readonly bytes: Record<'live' | 'dead' | 'recent', number>
}

interface Facts {
  readonly segment: Row
  readonly tables: readonly { readonly records: number; readonly bytes: number }[]
  readonly samples: readonly { readonly key: string; readonly bytes: number }[]
  readonly pins: readonly {
    readonly sequence: number
    readonly count: number
    readonly bytes: number
  }[]
  readonly plan: {
    readonly steps: readonly { readonly action: string }[]
    readonly bytesFreed: number
  }
}

interface Stat {
  readonly liveBytes: number
  readonly exposedGarbageBytes: number
  readonly hiddenGarbageBytesEstimate: number
  readonly pinnedBytesEstimate: number
  readonly owner: { readonly snapshots: number; readonly iterators: number } | null
}

async function rowsOf(db: string, ...words: string[]): Promise<Row[]> {
  return wiscJson<Row>(['segments', db, ...words])
}

test('a row for each file; what is referenced and what is dead make up the file', async () => {
  const db = await storeWithGarbage()
  const files = fs.readdirSync(db).filter((name) => name.endsWith('.vlog'))
  for (const words of [[], ['--exact']]) {
    const rows = await rowsOf(db, ...words)
    expect(files).toEqual(expect.arrayContaining(rows.map(({ file }) => file)))
    for (const row of rows) {
      expect(row.referencedBytes + row.exposedGarbageBytes).toBe(row.totalBytes)
      expect([row.action, row.reason].filter((word) => word === null)).toHaveLength(1)
      expect(row.hiddenBytes).toBe(words.length === 0 ? null : 0)
    }
    expect(rows[0]!.exposedGarbageBytes).toBeGreaterThan(rows[0]!.totalBytes / 2)
    expect(rows[0]!.ageSeconds).toBeGreaterThanOrEqual(rows.at(-1)!.ageSeconds)
  }
})

/** Values that are large enough for holes, every third of them dead. */
async function storeToPunch(): Promise<string> {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, {
    workers: 0,
    segmentBytes: 1024 * 1024,
    collector: { enabled: false },
  })
  for (let i = 0; i < 90; i++) await store.put(`key ${i}`, Buffer.alloc(40_000, i))
  for (let i = 0; i < 90; i += 3) await store.put(`key ${i}`, Buffer.alloc(40_000, i))
  await store.compact()
  await store.close()
  return db
}

test('exact, the rows say what the plan of gc says, punches included', async () => {
  for (const db of [await storeWithGarbage(), await storeToPunch()]) {
    const rows = await rowsOf(db, '--exact')
    const [plan] = await wiscJson<CollectionPlan>(['gc', db, '--dry-run'])
    const planned = new Map(
      plan!.steps.flatMap((step) => {
        if (step.action === 'forget') return []
        const files = step.action === 'punch' ? [step.file] : step.files
        return files.map(({ number }) => [number, step.action] as const)
      }),
    )
    expect(planned.size).toBeGreaterThan(0)
    const reasons = new Map(plan!.skipped.map(({ number, reason }) => [number, reason]))
    for (const { number, action, reason } of rows) {
      expect([action, reason]).toEqual([planned.get(number) ?? null, reasons.get(number) ?? null])
    }
  }
})

test('sorted and filtered', async () => {
  const db = await storeWithGarbage()
  const numbers = (rows: readonly Row[]): number[] => rows.map(({ number }) => number)
  const all = await rowsOf(db)
  expect(numbers(all)).toEqual(numbers(all).toSorted((left, right) => left - right))
  const dead = (await rowsOf(db, '--sort', 'dead')).map((row) => row.exposedGarbageBytes)
  expect(dead).toEqual(dead.toSorted((left, right) => right - left))
  const candidates = await rowsOf(db, '--filter', 'candidates')
  expect(numbers(candidates)).toEqual(numbers(all.filter(({ action }) => action !== null)))
  expect(await rowsOf(db, '--filter', 'relocations')).toEqual([])
  expect((await wisc(['segments', db, '--filter', 'relocations'])).out).toBe('no files\n')
  expect(await wisc(['segments', db, '--sort', 'beauty'])).toMatchObject({ code: 2, out: '' })
})

test('age is the time since a file was written, also after a crash', async () => {
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  child.kill('SIGKILL')
  await once(child, 'close')
  // Sequences go on 2^32 further by now.
  const store = await open(db, { workers: 0 })
  await store.put('after', 'the crash')
  await store.close()
  const hour = new Date(Date.now() - 3_600_000)
  fs.utimesSync(path.join(db, '000002.vlog'), hour, hour)
  const [oldest, second] = await rowsOf(db, '--sort', 'age')
  expect(oldest!.file).toBe('000002.vlog')
  expect(Math.round(oldest!.ageSeconds / 60)).toBeGreaterThanOrEqual(60)
  expect(second!.ageSeconds).toBeLessThan(3600)
  expect((await wisc(['segments', db])).out).toMatch(/^000002\.vlog .* 60 min /m)
  expect((await wisc(['explain', db, '2'])).out).toMatch(/^age +60 min$/m)
})

test('it fits terminals, and says what the signs mean', async () => {
  const db = await storeWithGarbage()
  for (const columns of [40, 80, 120]) {
    for (const words of [
      ['segments', db, '--exact'],
      ['map', db, '2'],
      ['explain', db, '2'],
    ]) {
      const { code, out, err } = await wisc(words, { env: { COLUMNS: `${columns}` } })
      expect([code, err]).toEqual([0, ''])
      for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns)
      expect(out).toMatch(/# (all lives|live)/)
    }
  }
})

test('garbage of a collected store lies in relocations', async () => {
  const db = await storeWithGarbage()
  await wisc(['gc', db, '--target-amp', '1'])
  const rows = await rowsOf(db, '--filter', 'relocations')
  expect(rows.length).toBeGreaterThan(0)
  const { out } = await wisc(['explain', db, rows[0]!.file], { env: { COLUMNS: '40' } })
  expect(out).toContain('relocation of ')
  for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(40)
  const [moved] = await wiscJson<Map>(['map', db, rows[0]!.file])
  expect(moved!.bytes.live).toBe(rows[0]!.referencedBytes)
})

test('segments, map and explain tell what a snapshot of a running process pins', async () => {
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  await tell(child, 'overwrite')
  const rows = await rowsOf(db, '--exact')
  const pinned = rows.filter(({ pinnedBytes }) => pinnedBytes! > 0)
  expect(pinned.length).toBeGreaterThan(0)
  expect(rows.find(({ state }) => state === 'open')).toBeDefined()
  const [facts] = await wiscJson<Facts>(['explain', db, `${pinned.at(-1)!.number}`])
  expect(facts!.pins).toHaveLength(1)
  expect(facts!.pins[0]).toMatchObject({ count: 1, bytes: pinned.at(-1)!.pinnedBytes })
  // What a snapshot keeps would not come back, and the plan for this file alone knows it, too.
  expect(facts!.plan.bytesFreed).toBeLessThanOrEqual(facts!.segment.exposedGarbageBytes)
  const text = await wisc(['explain', db, pinned.at(-1)!.file])
  expect(text).toMatchObject({ code: 0, err: '' })
  expect(text.out).toMatch(/^pinned at +readers +keep$/m)
  const open = rows.filter(({ state }) => state === 'open').at(-1)!
  const [map] = await wiscJson<Map>(['map', db, `${open.number}`])
  expect(map!.bytes.recent).toBeGreaterThan(0)
  // Nobody but the process itself knows of its snapshot: without it, that is hidden.
  await tell(child, 'close')
  const after = await rowsOf(db, '--exact')
  expect(after.every(({ pinnedBytes }) => pinnedBytes === 0)).toBe(true)
  expect(after.some(({ hiddenBytes }) => hiddenBytes! > 0)).toBe(true)
})

test('stat knows what only the process knows that has the store open', async () => {
  const db = await storeWithGarbage()
  const [alone] = await wiscJson<Stat>(['stat', db])
  expect(alone).toMatchObject({ owner: null, pinnedBytesEstimate: 0 })
  expect(alone!.exposedGarbageBytes).toBeGreaterThan(alone!.liveBytes / 2)
  const child = await holdOpen(db)
  await tell(child, 'overwrite')
  const [busy] = await wiscJson<Stat>(['stat', db])
  expect(busy!.owner).toMatchObject({ snapshots: 1, iterators: 0 })
  // Which of the two is known only when a compaction has met both.
  const { pinnedBytesEstimate, hiddenGarbageBytesEstimate } = busy!
  expect(pinnedBytesEstimate + hiddenGarbageBytesEstimate).toBeGreaterThan(0)
  for (const columns of [40, 80]) {
    const { code, out, err } = await wisc(['stat', db], { env: { COLUMNS: `${columns}` } })
    expect([code, err]).toEqual([0, ''])
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns)
    expect(out).toMatch(/^oldest +[\d,]+ writes ago$/m)
  }
  await tell(child, 'close')
})

test('a map adds up to the file, whatever the count of its cells', async () => {
  const db = await storeWithGarbage()
  const [row] = await rowsOf(db)
  for (const cells of ['1', '7', '256', '100000']) {
    const [map] = await wiscJson<Map>(['map', db, row!.file, '--cells', cells])
    expect(map!.cells.length).toBeLessThanOrEqual(Number(cells))
    const sum = { live: 0, dead: 0, recent: 0 }
    for (const cell of map!.cells) {
      for (const state of ['live', 'dead', 'recent'] as const) sum[state] += cell[state]
      expect(cell.live + cell.dead + cell.recent).toBeLessThanOrEqual(map!.cellBytes)
    }
    expect(sum).toEqual(map!.bytes)
    expect(map!.bytes.live).toBe(row!.referencedBytes)
    expect(map!.totalBytes).toBe(row!.totalBytes)
  }
})

test('explain says who points into a file, and what a collection would cost', async () => {
  const db = await storeWithGarbage()
  const [row] = await rowsOf(db)
  const [facts] = await wiscJson<Facts>(['explain', db, `${row!.number}`])
  expect(facts!.tables.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(row!.referencedBytes)
  expect(facts!.samples.length).toBeGreaterThan(1)
  // Only each tenth is left of the old values.
  for (const { key } of facts!.samples) expect(key).toMatch(/^key \d\d0$/)
  expect(facts!.pins).toEqual([])
  expect(facts!.plan.steps.map(({ action }) => action)).toEqual(['rewrite'])
  expect(facts!.plan.bytesFreed).toBeGreaterThan(0)
})

test('keys that are no text, and such as would control a terminal', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const keys = ['\u001b[2J\u0007', Buffer.from([0xff, 0xfe])]
  await makeStore(
    db,
    keys.map((key) => [key, 'x'.repeat(2000)] as const),
  )
  const [row] = await rowsOf(db)
  const { out } = await wisc(['explain', db, `${row!.number}`])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(out.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
  expect(out).toContain('\\x1b[2J\\x07')
  expect(out).toContain('\\xff\\xfe')
  const [facts] = await wiscJson(['explain', db, `${row!.number}`])
  expect(facts!['samples']).toMatchObject([{ key: keys[0] }, { keyBase64: '//4=' }])
})

test('what is no segment, no store, or damaged', async () => {
  const db = await storeWithGarbage()
  for (const verb of ['map', 'explain']) {
    for (const word of ['99999', '0', 'LOCK', '-1', '2.sst', '']) {
      const { code, out, err } = await wisc([verb, db, '--', word])
      expect([code, out], word).toEqual([2, ''])
      expect(err).toMatch(/^wisc: /)
    }
    expect((await wisc([verb, path.join(db, 'nothing'), '2'])).code).toBe(2)
  }
  expect((await wisc(['map', db, '2', '--cells', '0'])).code).toBe(2)
  // In the first record: behind the headers of file and frame.
  const file = path.join(db, '000002.vlog')
  const bytes = fs.readFileSync(file)
  bytes[200]! ^= 1
  fs.writeFileSync(file, bytes)
  const { code, err } = await wisc(['map', db, '2'])
  expect([code, err.includes('file=000002.vlog')]).toEqual([4, true])
  expect((await wisc(['segments', db])).code).toBe(0)
})

test('everything is answered while another process changes everything', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const writer = await startBusyWriter(db, {
    keys: 1000,
    length: '(i * 7) % 1500',
    between: 'await store.compact()',
  })
  try {
    for (const words of [
      ['segments', db],
      ['segments', db, '--exact'],
      ['gc', db, '--dry-run'],
      ['report', db, '--html', '-'],
      ['stat', db],
      ['gc', db, '--target-amp', '1.2'],
    ]) {
      const result = await wisc(words)
      expect(result, words.join(' ')).toMatchObject({ code: 0, err: '' })
    }
    for (const verb of ['map', 'explain']) {
      const { number } = (await rowsOf(db)).at(-1)!
      // By now it may have been collected.
      const { code, err } = await wisc([verb, db, `${number}`])
      expect(code === 2 ? err : '', verb).toMatch(/^$|no such segment/)
      expect([0, 2]).toContain(code)
    }
  } finally {
    await writer.stop()
  }
})

test('nothing is written, and no lock is taken', async () => {
  const db = await storeWithGarbage()
  const state = (): string[] =>
    fs
      .readdirSync(db)
      .map((name) => `${name} ${fs.statSync(path.join(db, name), { bigint: true }).mtimeNs}`)
  const before = state()
  for (const words of [
    ['segments', db, '--exact'],
    ['map', db, '2'],
    ['explain', db, '2'],
    ['stat', db],
  ]) {
    expect((await wisc(words)).code).toBe(0)
  }
  expect(state()).toEqual(before)
})

test('of a store that was a full cache segments and explain tell what it has evicted', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, { cache: { maxBytes: 1024 * 1024 }, workers: 0 })
  for (let i = 0; i < 500; i++) await store.put(`key ${i}`, Buffer.alloc(4096, i))
  await store.close()
  const [stat] = await wiscJson<{ evictedBelow: number }>(['stat', db])
  expect(stat!.evictedBelow).toBeGreaterThan(0)
  const words = `has evicted all that is older than sequence ${stat!.evictedBelow}.`
  const [row] = await rowsOf(db)
  for (const verb of [
    ['segments', db],
    ['explain', db, row!.file],
  ]) {
    const { out } = await wisc(verb, { env: { COLUMNS: '200' } })
    expect(out).toContain(words)
  }
  const plain = path.join(temporaryDirectory(), 'plain')
  await makeStore(plain, [['a', '1']])
  expect((await wisc(['segments', plain])).out).not.toContain('evicted')
})
