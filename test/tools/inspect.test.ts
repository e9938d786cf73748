/** stat, verify, flush and compact through the real command: golden texts, damage, a busy store. */
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type Options, open, type Store } from '#dist/lib/index.js'
import { formatBytes } from '#dist/tools/terminal/units.js'
import { renderLine, toSample } from '#dist/tools/verb/top-sample.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, startWisc, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { startBusyWriter } from '../support/store/busy-writer.ts'

const GOLDEN = path.join(import.meta.dirname, '../golden')

/** Golden databases stay as they are; a copy may be written to. */
function copyOf(name: string): string {
  const directory = path.join(temporaryDirectory(), name)
  fs.cpSync(path.join(GOLDEN, name), directory, { recursive: true })
  return directory
}

/** What the file system allocates, and frames without records of a writer that was slow, are not for a golden text. */
function withoutDiskSize(text: string): string {
  return text
    .replace(/^(on disk|ballast|dead|gc would free)( +)\S.*$/gm, '$1$2(size)')
    .replace(/^(space amp +)\S.*$/m, '$1(ratio)')
}

async function show(words: readonly string[], columns: number, cwd = GOLDEN): Promise<string> {
  const { code, out, err } = await wisc(words, { cwd, env: { COLUMNS: `${columns}` } })
  expect([code, err]).toEqual([0, ''])
  for (const text of out.split('\n')) expect(text.length, text).toBeLessThanOrEqual(columns)
  return withoutDiskSize(out)
}

test('stat at 80 columns', async () => {
  expect(await show(['stat', 'crashed'], 80)).toMatchInlineSnapshot(`
    "crashed

    on disk          (size)
    ballast          (size)
    live             9.1 KiB
    space amp        (ratio)
    dead             (size)
    punched          0 B
    hidden           about 296 B
    pinned           none
    target           1.30
    gc would free    (size)
    tables           2, 1.5 KiB
    entries          50
    tombstones       6
    segments         7
    relocations      0
    streams          0
    pointed to       4.4 KiB
    only in the log  9 records
    last sequence    100
    durable up to    94
    last close       none: a crash

    level  runs  tables   size  entries  tombstones  share
        0     1       1  554 B       17           6  ###########...................
        1     1       1  933 B       33           0  ###################...........
    "
  `)
})

test('stat at 40 columns, exact', async () => {
  expect(await show(['stat', 'closed', '--bytes'], 40)).toMatchInlineSnapshot(`
    "closed

    on disk          (size)
    ballast          (size)
    live             9272 B
    space amp        (ratio)
    dead             (size)
    punched          0 B
    hidden           about 296 B
    pinned           none
    target           1.30
    gc would free    (size)
    tables           3, 1797 B
    entries          59
    tombstones       7
    segments         7
    relocations      0
    streams          0
    pointed to       9584 B
    only in the log  0 records
    last sequence    100
    durable up to    100
    last close       in order

    level       0
    runs        2
    tables      2
    size        864 B
    entries     26
    tombstones  7
    share       #############...............

    level       1
    runs        1
    tables      1
    size        933 B
    entries     33
    tombstones  0
    share       ###############.............
    "
  `)
})

test('stat as JSON', async () => {
  const [figures] = await wiscJson<{
    path: string
    levels: { entries: number }[]
    entries: number
  }>(['stat', 'crashed'], { cwd: GOLDEN })
  expect(figures!.path).toBe('crashed')
  expect(figures!.levels.reduce((sum, { entries }) => sum + entries, 0)).toBe(figures!.entries)
})

test('stat of an empty store has no levels', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(db, [])
  expect((await wiscJson<{ tables: number }>(['stat', db]))[0]!.tables).toBe(0)
  expect(await show(['stat', db], 80)).not.toContain('level')
})

test('verify of a sound store', async () => {
  expect(await show(['verify', 'closed'], 40)).toMatchInlineSnapshot(`
    "tables       3
    entries      59
    pointers     14
    segments     7
    records      100
    values read  none (see --deep)
    result       sound
    "
  `)
  const [report] = await wiscJson(['verify', 'closed', '--deep'], { cwd: GOLDEN })
  expect(report).toMatchObject({ ok: true, deep: true, damage: [] })
})

test('verify and scan go on while another process changes everything', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const writer = await startBusyWriter(db, {
    keys: 1000,
    length: 'i % 500',
    between: 'await store.compact()',
  })
  try {
    for (let i = 0; i < 3; i++) {
      const check = await wisc(['verify', db, '--deep'])
      expect(check, check.out).toMatchObject({ code: 0, err: '' })
      const keys = (await wiscJson(['scan', db])).map(({ key }) => key)
      expect(keys).toEqual([...new Set(keys)].sort())
      expect(keys).toHaveLength(1000)
      expect(await wisc(['stat', db])).toMatchObject({ code: 0, err: '' })
    }
  } finally {
    await writer.stop()
  }
})

/** A store of small tables, so that a compaction removes what a scan reads from. */
const MANY_TABLES = { workers: 0, tree: { tableBytes: 65536 } }
const NAMES = Array.from({ length: 1000 }, (_, i) => `key ${String(i).padStart(4, '0')}`)

async function putAll(store: Store, value: string): Promise<void> {
  for (const name of NAMES) await store.put(name, value.padEnd(1000, '.'))
  await store.compact()
}

/** Scans; when its pipe is full `change` is called, and then all is read. */
async function scanAcross(
  words: readonly string[],
  change: () => Promise<void>,
): Promise<{ code: number; err: string; lines: string[] }> {
  const child = startWisc(words)
  let [out, err] = ['', '']
  child.stderr!.on('data', (data: Buffer) => {
    err += data.toString()
  })
  await once(child.stdout!, 'readable')
  await new Promise((resolve) => setTimeout(resolve, 500))
  await change()
  child.stdout!.on('data', (data: Buffer) => {
    out += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, err, lines: out.split('\n').slice(0, -1) }
}

test('a live scan is the store at one moment: its process holds a snapshot for it', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, MANY_TABLES)
  await putAll(store, 'old')
  for (const words of [
    ['scan', db, '--limit', '999'],
    ['scan', db, '--reverse'],
  ]) {
    const { code, err, lines } = await scanAcross(words, async () => {
      expect(store.stats().snapshots.open).toBe(1)
      await putAll(store, 'new')
    })
    expect([code, err]).toEqual([0, ''])
    const expected = words[2] === '--reverse' ? NAMES.toReversed() : NAMES.slice(0, 999)
    expect(lines).toEqual(expected.map((name) => `${name}\t${'old'.padEnd(1000, '.')}`))
    // It has hung up.
    while (store.stats().snapshots.open > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await putAll(store, 'old')
  }
  const closed = await scanAcross(['scan', db], async () => {
    await putAll(store, 'new')
    await store.close()
  })
  expect(closed.code).toBe(3)
  expect(closed.err).toMatch(/^wisc: the store has changed, .* holds the snapshot no longer/)
  expect(closed.lines.every((line) => line.includes('\told'))).toBe(true)
})

test('where no snapshot can be held, a scan of a store that changes ends, and says why', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(
    db,
    NAMES.map((name) => [name, 'old'.padEnd(1000, '.')]),
    MANY_TABLES,
  )
  const { code, err, lines } = await scanAcross(['scan', db], async () => {
    const store = await open(db, MANY_TABLES)
    await putAll(store, 'new')
    await store.close()
  })
  expect(code).toBe(3)
  expect(err).toMatch(/^wisc: the store has changed, .*: a process has opened it meanwhile; .*\n$/)
  expect(lines.every((line) => line.includes('\told'))).toBe(true)
})

test('flush writes what only the log had', async () => {
  const db = copyOf('crashed')
  const [before] = await wiscJson<{ replayedRecords: number }>(['stat', db])
  expect(before!.replayedRecords).toBeGreaterThan(0)
  const [report] = await wiscJson<{ replayedRecords: number }>(['flush', db])
  expect(report!.replayedRecords).toBe(before!.replayedRecords)
  const [after] = await wiscJson<{ replayedRecords: number }>(['stat', db])
  expect(after!.replayedRecords).toBe(0)
  expect((await wisc(['flush', db])).out).toMatch(/^nothing to flush, \d+ tables in all\n$/)
  expect((await wisc(['flush', copyOf('crashed')])).out).toMatch(
    /^\d+ records flushed, \d+ tables in all\n$/,
  )
})

test('compact leaves nothing but the newest entries', async () => {
  const db = copyOf('closed')
  interface Figures {
    readonly entries: number
    readonly tombstones: number
  }
  const [report] = await wiscJson<{ before: Figures; after: Figures }>(['compact', db])
  expect(report!.after.tombstones).toBe(0)
  expect(report!.after.entries).toBeLessThan(report!.before.entries)
  expect((await wiscJson(['scan', db, '--keys-only'])).length).toBe(report!.after.entries)
  expect(await show(['compact', db, '--prefix', 'key/'], 40)).toMatch(/^ +before +after$/m)
})

test('stat tells holes from what can still be collected', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const options: Options = { workers: 0, valueThreshold: 0, collector: { enabled: false } }
  const value = 'v'.repeat(65536)
  await makeStore(
    db,
    Array.from({ length: 32 }, (_, i) => [`key ${i % 17}`, value] as const),
    options,
  )
  const store = await open(db, { ...options, segmentBytes: 65536 })
  await store.put('last', '')
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1.5 })
  const rows = store.segments()
  const line = renderLine(toSample(store.stats(), undefined, undefined))
  await store.close()
  const punched = rows.reduce(
    (sum, row) => sum + Math.min(row.punchedBytes, row.exposedGarbageBytes),
    0,
  )
  const [figures] = await wiscJson<{ punchedBytes: number; exposedGarbageBytes: number }>([
    'stat',
    db,
  ])
  expect(figures!.punchedBytes).toBe(punched)
  const { out } = await wisc(['stat', db, '--bytes'])
  expect(out).toMatch(new RegExp(`^punched +${punched} B$`, 'm'))
  const dead = figures!.exposedGarbageBytes - punched
  expect(out).toMatch(new RegExp(`^dead +${dead} B$`, 'm'))
  expect(punched).toBeGreaterThan(0)
  expect(line).toContain(`  dead ${formatBytes(dead, false)}  `)
  const files = await wisc(['segments', db, '--bytes'])
  expect(files.out).toContain(`  ${dead} B dead  ${punched} B punched\n`)
})
