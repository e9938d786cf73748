/** gc through the real command: plans, collections here and in the process that has the store open, Ctrl-C. */
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { startWisc, untilInterruptible, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { holdOpen, storeWithGarbage, tell } from '../support/store/busy-store.ts'

interface Plan {
  readonly databaseId: string
  readonly steps: readonly {
    readonly action: string
    readonly files: readonly { number: number }[]
  }[]
  readonly skipped: readonly { readonly number: number; readonly reason: string }[]
  readonly bytesFreed: number
  readonly bytesCopied: number
  readonly before: { readonly diskBytes: number }
  readonly after: { readonly diskBytes: number }
}

interface Report {
  readonly steps: readonly { readonly action: string }[]
  readonly failed: readonly { readonly error: { readonly code: string } }[]
  readonly bytesFreed: number
  readonly bytesCopied: number
  readonly before: { readonly diskBytes: number }
  readonly after: { readonly diskBytes: number; readonly spaceAmplification: number }
}

const TO_ONE = ['--target-amp', '1']

function sizeOf(db: string): number {
  return fs
    .readdirSync(db)
    .reduce((sum, name) => sum + fs.statSync(path.join(db, name)).blocks * 512, 0)
}

async function checkContent(db: string): Promise<void> {
  const store = await open(db, { readOnly: true })
  for (let i = 0; i < 300; i++) {
    const value = await store.get(`key ${String(i).padStart(3, '0')}`)
    expect(value?.toString()).toBe((i % 10 === 0 ? 'old' : 'new').padEnd(1500, '.'))
  }
  expect((await store.verify()).damage).toEqual([])
  await store.close()
}

test('a dry run changes nothing and says what would be done', async () => {
  const db = await storeWithGarbage()
  const names = fs.readdirSync(db)
  const [plan] = await wiscJson<Plan>(['gc', db, '--dry-run', ...TO_ONE])
  expect(plan!.bytesFreed).toBeGreaterThan(0)
  expect(plan!.after.diskBytes).toBeLessThan(plan!.before.diskBytes)
  for (const columns of [40, 80]) {
    const { code, out, err } = await wisc(['gc', db, '--dry-run'], {
      env: { COLUMNS: `${columns}` },
    })
    expect([code, err]).toEqual([0, ''])
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns)
    expect(out).toMatch(/^frees /m)
  }
  expect(fs.readdirSync(db)).toEqual(names)
})

/** A store whose tables shadow each other, so that a compaction exposes most of its garbage. */
async function storeWithHiddenGarbage(): Promise<string> {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, {
    workers: 0,
    segmentBytes: 65536,
    valueThreshold: 0,
    collector: { enabled: false },
  })
  for (let i = 0; i < 600; i++) {
    await store.put(`key ${(i * 7) % 250}`, 'x'.repeat(1500))
    if (i % 200 === 199) await store.flush()
  }
  await store.close()
  return db
}

test('a dry run says what gc does, compaction included, and so does the saved plan', async () => {
  const db = await storeWithHiddenGarbage()
  const copy = `${db}.copy`
  fs.cpSync(db, copy, { recursive: true })
  const file = path.join(temporaryDirectory(), 'plan.json')
  const dry = await wisc(['gc', db, '--dry-run', ...TO_ONE, '--json'])
  fs.writeFileSync(file, dry.bytes)
  const plan = JSON.parse(dry.out) as Plan & { compacts: boolean; laterRounds: unknown[] }
  expect(plan.compacts).toBe(true)
  expect((await wisc(['gc', db, '--dry-run'])).out).toContain('gc compacts the tree first')
  const [report] = await wiscJson<Report>(['gc', db, ...TO_ONE])
  expect(Math.abs(report!.bytesFreed / plan.bytesFreed - 1)).toBeLessThan(0.05)
  expect(Math.abs(report!.bytesCopied / plan.bytesCopied - 1)).toBeLessThan(0.05)
  expect(Math.abs(report!.after.diskBytes / plan.after.diskBytes - 1)).toBeLessThan(0.05)
  expect(plan.laterRounds).toEqual([])
  const [planned] = await wiscJson<Report>(['gc', copy, '--plan', file])
  expect(planned!.bytesFreed).toBe(plan.bytesFreed)
  expect((await wisc(['gc', copy, '--plan', file])).code).toBe(5)
})

test('it gives space back and loses nothing', async () => {
  const db = await storeWithGarbage()
  const before = sizeOf(db)
  const [report] = await wiscJson<Report>(['gc', db, ...TO_ONE])
  expect(report!.failed).toEqual([])
  expect(report!.bytesFreed).toBeGreaterThan(0)
  expect(sizeOf(db)).toBeLessThan(before - report!.bytesFreed / 2)
  await checkContent(db)
  const again = await wisc(['gc', db, ...TO_ONE], { env: { COLUMNS: '40' } })
  expect(again).toMatchObject({ code: 0, err: '' })
  expect(again.out).toMatch(/^0 B freed, 0 B copied$/m)
})

test('only what was asked for: segments and bytes to copy', async () => {
  const db = await storeWithGarbage()
  const [only] = await wiscJson<Plan>([
    'gc',
    db,
    '--dry-run',
    ...TO_ONE,
    '--segments',
    '2,000003.vlog',
  ])
  const files = only!.steps.flatMap((step) => step.files.map(({ number }) => number))
  expect(files.toSorted()).toEqual([2, 3])
  expect(only!.skipped.every(({ reason }) => reason === 'not asked for')).toBe(true)
  const [little] = await wiscJson<Report>(['gc', db, ...TO_ONE, '--max-copy', '10KiB'])
  expect(little!.bytesCopied).toBeLessThanOrEqual(10 * 1024)
  await checkContent(db)
})

test('a saved plan is carried out once; then it is stale', async () => {
  const db = await storeWithGarbage()
  const file = path.join(temporaryDirectory(), 'plan.json')
  const { bytes } = await wisc(['gc', db, '--dry-run', ...TO_ONE, '--json'])
  fs.writeFileSync(file, bytes)
  const plan = JSON.parse(bytes.toString()) as Plan
  const [report] = await wiscJson<Report>(['gc', db, '--plan', file])
  expect(report!.steps).toHaveLength(plan.steps.length)
  expect(report!.bytesFreed).toBe(plan.bytesFreed)
  await checkContent(db)
  const again = await wisc(['gc', db, '--plan', file])
  expect(again).toMatchObject({ code: 5, out: '' })
  expect(again.err).toContain('WISC_STALE')
  const other = await storeWithGarbage()
  expect((await wisc(['gc', other, '--plan', file])).code).toBe(2)
})

test('a process that has the store open does the work, by plan, too', async () => {
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  const file = path.join(temporaryDirectory(), 'plan.json')
  const dry = await wisc(['gc', db, '--dry-run', ...TO_ONE, '--segments', '2', '--json'])
  fs.writeFileSync(file, dry.bytes)
  const [planned] = await wiscJson<Report>(['gc', db, '--plan', file])
  expect(planned!.steps).toHaveLength(1)
  expect(fs.existsSync(path.join(db, '000002.vlog'))).toBe(false)
  const [report] = await wiscJson<Report>(['gc', db, ...TO_ONE])
  expect(report!.bytesFreed).toBeGreaterThan(0)
  expect(report!.failed).toEqual([])
  const stale = await wisc(['gc', db, '--plan', file])
  expect(stale).toMatchObject({ code: 5, out: '' })
  expect(stale.err).toContain('WISC_STALE')
  await checkContent(db)
  await tell(child, 'close')
  await checkContent(db)
})

test('a store that is open without a socket is locked', async () => {
  const db = await storeWithGarbage()
  const store = await open(db, { workers: 0, controlSocket: false })
  const { code, out, err } = await wisc(['gc', db])
  expect([code, out]).toEqual([3, ''])
  expect(err).toMatch(new RegExp(`^wisc: pid ${process.pid} has no control socket .*WISC_LOCKED`))
  expect((await wisc(['gc', db, '--dry-run'])).code).toBe(0)
  await store.close()
})

test.each([false, true])('Ctrl-C stops it, with a running process: %s', async (isOpen) => {
  const db = await storeWithGarbage()
  const child = isOpen ? await holdOpen(db) : undefined
  const names = fs.readdirSync(db).join()
  // At this rate it would take minutes.
  const collecting = startWisc(['gc', db, ...TO_ONE, '--rate', '4096'])
  await untilInterruptible(collecting)
  // Mostly it is at work when files come or go; any moment will do.
  while (collecting.exitCode === null && fs.readdirSync(db).join() === names) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  collecting.kill('SIGINT')
  const [code] = (await once(collecting, 'close')) as [number]
  expect(code).toBe(130)
  if (child) {
    const [report] = await wiscJson<Report>(['gc', db, ...TO_ONE])
    expect(report!.failed).toEqual([])
    await tell(child, 'close')
  }
  await checkContent(db)
})

test('a process that closes the store meanwhile: in use, and gc says so', async () => {
  const db = await storeWithGarbage()
  const owner = await open(db, { workers: 0, collector: { enabled: false } })
  await owner.put('key', 'value')
  const asked = once(owner, 'flush')
  const collecting = wisc(['gc', db, ...TO_ONE, '--rate', '4096'])
  await asked
  await owner.close()
  const { code, out, err } = await collecting
  expect([code, out]).toEqual([3, ''])
  expect(err).toContain('the process that has the store open closes it')
  await checkContent(db)
})

test('damage stops a step, and the exit code tells', async () => {
  const db = await storeWithGarbage()
  const file = path.join(db, '000002.vlog')
  const bytes = fs.readFileSync(file)
  bytes[200]! ^= 1
  fs.writeFileSync(file, bytes)
  const [report] = await wiscJson<Report>(['gc', db, ...TO_ONE, '--segments', '2'], { code: 4 })
  expect(report!.failed).toMatchObject([
    { error: { code: 'WISC_CORRUPTION', file: '000002.vlog' } },
  ])
})

test('what makes no sense', async () => {
  const db = await storeWithGarbage()
  const plan = path.join(temporaryDirectory(), 'plan.json')
  fs.writeFileSync(plan, '{"steps":[{"action":"explode"}]}')
  for (const words of [
    ['--target-amp', '0.5'],
    ['--target-amp', 'x'],
    ['--segments', '1,x'],
    // The number of a manifest: there was a file of this number once, but never a segment.
    ['--segments', '1'],
    ['--segments', '99'],
    ['--segments', '2,99', '--dry-run'],
    ['--max-copy', '1 parsec'],
    ['--max-copy', '-1'],
    ['--rate', '1'],
    ['--plan', plan],
    ['--plan', `${plan}.not`],
    ['--plan', db],
    ['--plan', plan, '--dry-run'],
  ]) {
    const { code, out, err } = await wisc(['gc', db, ...words])
    expect([code, out], words.join(' ')).toEqual([2, ''])
    expect(err).toMatch(/^wisc: /)
    expect(err).not.toContain('bug')
  }
  expect((await wisc(['gc', path.join(db, 'nothing')])).code).toBe(2)
})

test.each([
  [['--target-amp', '0.5'], '--target-amp must be a number of 1 to 100: 0.5'],
  [['--target-amp', 'abc'], '--target-amp must be a number of 1 to 100: abc'],
  [['--rate', '0'], '--rate must be at least 4096 bytes: 0'],
  [['--max-copy', '1 parsec'], '--max-copy must be a size such as 64MiB: 1 parsec'],
])('%j: the error names the option', async (words, text) => {
  expect(await wisc(['gc', 'db', ...words])).toMatchObject({ code: 2, err: `wisc: ${text}\n` })
})
