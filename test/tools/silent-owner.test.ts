/** A store whose process is stopped, or has no control socket: every verb ends, and says that pins are unknown. */
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { startWisc, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { holdOpen, storeWithGarbage, tell } from '../support/store/busy-store.ts'

/** As for people. */
const SECOND = { env: { WISC_PATIENCE_MS: '1000' } }

test.skipIf(process.platform === 'win32')('a stopped process hangs no verb', async () => {
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  await tell(child, 'overwrite')
  child.kill('SIGSTOP')
  const page = path.join(temporaryDirectory(), 'page.html')
  const silent = `wisc: pid ${child.pid} does not answer; what it pins is unknown\n`
  await Promise.all(
    [
      ['stat', db],
      ['segments', db, '--exact'],
      ['explain', db, '2'],
      ['report', db, '--html', page],
      ['gc', db, '--dry-run'],
    ].map(async (words) => {
      const { code, out, err } = await wisc(words, SECOND)
      expect({ words, code, err }).toEqual({ words, code: 0, err: silent })
      if (words[0] !== 'report') expect(out, words[0]).toContain('unknown')
    }),
  )
  expect(fs.readFileSync(page, 'utf8')).toContain('<td>unknown</td>')
  await Promise.all(
    [
      ['gc', db],
      ['top', db],
    ].map(async (words) => {
      const { code, out, err } = await wisc(words, SECOND)
      expect({ words, code, out }).toEqual({ words, code: 3, out: '' })
      expect(err).toContain(`pid ${child.pid} does not answer`)
    }),
  )
  const [rows, [facts], [stat], [plan]] = await Promise.all([
    wiscJson<{ pinnedBytes: number | null }>(['segments', db, '--exact'], SECOND),
    wiscJson(['explain', db, '2'], SECOND),
    wiscJson(['stat', db], SECOND),
    wiscJson<{ before: object }>(['gc', db, '--dry-run'], SECOND),
  ])
  expect(rows.every(({ pinnedBytes }) => pinnedBytes === null)).toBe(true)
  expect(facts).toMatchObject({ pins: null, segment: { pinnedBytes: null } })
  expect(plan!.before).toMatchObject({ pinnedBytes: null })
  expect(stat).toMatchObject({
    pinnedBytesEstimate: null,
    wasClosedCleanly: null,
    owner: { pid: child.pid, snapshots: null, silence: `pid ${child.pid} does not answer` },
  })
  child.kill('SIGCONT')
  await tell(child, 'close')
})

test.skipIf(process.platform !== 'linux')('Ctrl-C ends the wait at once', async () => {
  const db = await storeWithGarbage()
  const owner = await holdOpen(db)
  owner.kill('SIGSTOP')
  const waiting = startWisc(['gc', db, '--dry-run'])
  // Three connections are its standard streams.
  const connections = (): number =>
    fs.readdirSync(`/proc/${waiting.pid}/fd`).filter((fd) => {
      const file = `/proc/${waiting.pid}/fd/${fd}`
      return fs.statSync(file, { throwIfNoEntry: false })?.isSocket() === true
    }).length
  while (connections() < 4) await new Promise((resolve) => setTimeout(resolve, 20))
  waiting.kill('SIGINT')
  expect((await once(waiting, 'close'))[0]).toBe(130)
})

test('without a control socket, pins are unknown; without a process there are none', async () => {
  const db = await storeWithGarbage()
  const [row] = await wiscJson(['segments', db, '--exact'])
  expect(row).toMatchObject({ pinnedBytes: 0 })
  expect(await wiscJson(['explain', db, '2'])).toMatchObject([{ pins: [] }])
  const [closed] = await wiscJson(['stat', db])
  expect(closed).toMatchObject({ owner: null, pinnedBytesEstimate: 0, wasClosedCleanly: true })
  const store = await open(db, { workers: 0, controlSocket: false })
  store.snapshot()
  const why = `pid ${process.pid} has no control socket that can be asked`
  const text = await wisc(['explain', db, '2'])
  expect(text).toMatchObject({ code: 0, err: `wisc: ${why}; what it pins is unknown\n` })
  expect(text.out).toMatch(/^pinned +unknown$/m)
  expect(text.out).not.toContain('No open snapshot')
  const segments = await wisc(['segments', db, '--exact'])
  expect(segments.out).toMatch(/unknown pinned$/m)
  const [stat] = await wiscJson(['stat', db])
  expect(stat).toMatchObject({
    pinnedBytesEstimate: null,
    owner: { pid: process.pid, silence: why, collectorState: null },
  })
  await store.close()
})

test('stat says who has the store open, and how', async () => {
  const db = await storeWithGarbage()
  const store = await open(db, {
    workers: 0,
    collector: { targetSpaceAmplification: 1.7 },
  })
  store.pauseCollector()
  const [stat] = await wiscJson(['stat', db])
  expect(stat).toMatchObject({
    targetSpaceAmplification: 1.7,
    owner: { pid: process.pid, silence: null, collectorState: 'paused', snapshots: 0 },
  })
  const { out } = await wisc(['stat', db])
  expect(out).toMatch(new RegExp(`^open in pid +${process.pid}$`, 'm'))
  expect(out).toMatch(/^command +\S+/m)
  expect(out).toMatch(/^target +1\.70$/m)
  expect(out).toMatch(/^collector +paused$/m)
  await store.close()
})

test('stat says what gc would free, and whether the last close was one in order', async () => {
  const db = await storeWithGarbage()
  const [stat] = await wiscJson<{ gcFreesBytesEstimate: number }>(['stat', db])
  const [plan] = await wiscJson<{ bytesFreed: number }>(['gc', db, '--dry-run'])
  expect(stat).toMatchObject({ gcFreesBytesEstimate: plan!.bytesFreed, wasClosedCleanly: true })
  const child = await holdOpen(db)
  child.kill('SIGKILL')
  await once(child, 'close')
  const [crashed] = await wiscJson(['stat', db])
  expect(crashed).toMatchObject({ owner: null, wasClosedCleanly: false })
  expect((await wisc(['stat', db])).out).toMatch(/^last close +none: a crash$/m)
})

test('what a snapshot pins is not what gc would free', async () => {
  const db = path.join(temporaryDirectory(), 'db')
  const store = await open(db, { segmentBytes: 65_536, collector: { enabled: false } })
  const putAll = async (): Promise<void> => {
    for (let i = 0; i < 200; i++) await store.put(`key ${i}`, Buffer.alloc(4000, i))
  }
  await putAll()
  await store.flush()
  const snapshot = store.snapshot()
  await putAll()
  await store.compact()
  interface Figures {
    readonly gcFreesBytesEstimate: number
    readonly pinnedBytesEstimate: number
  }
  const [stat] = await wiscJson<Figures>(['stat', db])
  expect(stat!.pinnedBytesEstimate).toBeGreaterThan(100 * 4000)
  expect(stat!.gcFreesBytesEstimate).toBeLessThan(50 * 4000)
  snapshot.close()
  await store.close()
})
