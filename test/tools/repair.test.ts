/** orphans, salvage and advise through the real command: exit codes, JSON, golden texts, beside a busy writer. */
import fs from 'node:fs'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { hasScript, runInTerminal, runShell, WISC } from '../support/processes/wisc-shell.ts'
import { startBusyWriter } from '../support/store/busy-writer.ts'
import {
  filesLike,
  flipByte,
  makeInspectedStore,
  stateOf,
} from '../support/store/inspected-store.ts'

async function contentOf(directory: string): Promise<Map<string, Buffer>> {
  const store = await open(directory, { readOnly: true })
  const content = new Map<string, Buffer>()
  for await (const [key, value] of store.entries()) content.set(key.toString(), value)
  expect((await store.verify()).ok).toBe(true)
  await store.close()
  return content
}

interface SalvageReport {
  readonly keys: number
  readonly fromTables: number
  readonly fromLog: number
  readonly possiblyStale: number
  readonly lost: readonly { key: string }[]
  readonly damage: readonly { file: string }[]
}

test('salvage: a new store with all that was there, and the old one untouched', async () => {
  const { directory, model } = await makeInspectedStore({ collect: true, crash: true })
  fs.rmSync(path.join(directory, 'CURRENT'))
  const before = stateOf(directory)
  const target = path.join(temporaryDirectory(), 'saved')
  const [report] = await wiscJson<SalvageReport>(['salvage', directory, target])
  expect(report).toMatchObject({ keys: model.size, lost: [], damage: [{ file: 'CURRENT' }] })
  expect(report!.fromTables + report!.fromLog).toBe(model.size)
  expect(stateOf(directory)).toEqual(before)
  const content = await contentOf(target)
  expect(content.size).toBe(model.size)
  for (const [key, value] of model) expect(content.get(key)).toEqual(value)
})

test('salvage: what is lost is named, and the exit code is 4', async () => {
  const { directory, model, segments } = await makeInspectedStore()
  const [key, number] = [...segments].find(([name]) => model.get(name)!.length === 5000)!
  const name = filesLike(directory, /vlog$/).find((each) => Number.parseInt(each, 10) === number)!
  const at = fs.readFileSync(path.join(directory, name)).indexOf(model.get(key)!)
  flipByte(directory, name, at)
  const targets = temporaryDirectory()
  const { code, out } = await wisc(['salvage', directory, path.join(targets, 'a')])
  expect(code).toBe(4)
  expect(out).toContain(`LOST "${key}": value checksum mismatch chunk=0 in ${name}\n`)
  expect(out).toMatch(/^lost {16}1$/m)
  const [report] = await wiscJson<SalvageReport>(['salvage', directory, path.join(targets, 'b')], {
    code: 4,
  })
  expect(report!.lost.map((each) => each.key)).toEqual([key])
  expect(report!.damage).toMatchObject([{ file: name, offset: at }])
  expect((await contentOf(path.join(targets, 'b'))).size).toBe(model.size - 1)
})

test('salvage: an interrupted one leaves a target that says so, and that nothing opens', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  const target = path.join(temporaryDirectory(), 'saved')
  // Values are written to it until the disk of this shell is full.
  const { code } = runShell(`ulimit -f 8; ${WISC} salvage ${directory} ${target}`)
  expect(code).toBe(5)
  const says = /a salvage into this directory has not come to its end: remove it.* path=.*saved/
  expect(fs.readFileSync(path.join(target, 'SALVAGE'), 'utf8')).toContain('remove this directory')
  await expect(open(target)).rejects.toThrow(says)
  await expect(open(target, { readOnly: true })).rejects.toThrow(says)
  for (const words of [
    ['stat'],
    ['scan'],
    ['verify'],
    ['orphans'],
    ['advise'],
    ['put', 'a', '1'],
  ]) {
    const result = await wisc([words[0]!, target, ...words.slice(1)])
    expect([result.code, result.out], words[0]).toEqual([2, ''])
    expect(result.err).toMatch(says)
  }
  fs.rmSync(target, { recursive: true })
  expect((await wisc(['salvage', directory, target])).code).toBe(0)
  expect(fs.existsSync(path.join(target, 'SALVAGE'))).toBe(false)
  await contentOf(target)
})

test('salvage never writes to what it reads, nor over anything', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  const full = temporaryDirectory()
  fs.writeFileSync(path.join(full, 'file'), 'content')
  const before = stateOf(directory)
  for (const target of [directory, path.join(directory, 'new'), full, path.join(full, 'file')]) {
    const { code, out, err } = await wisc(['salvage', directory, target])
    expect([code, out], target).toEqual([2, ''])
    expect(err).toMatch(/^wisc: the target must/)
  }
  expect(stateOf(directory)).toEqual(before)
  const target = path.join(temporaryDirectory(), 'new')
  const nothing = await wisc(['salvage', full, target])
  expect(nothing).toMatchObject({ code: 2, out: '' })
  expect(nothing.err).toContain('WISC_NO_STORE')
  expect(fs.existsSync(target)).toBe(false)
})

test('salvage of a store that is being written is refused, and nothing is written', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  const target = path.join(temporaryDirectory(), 'new')
  const store = await open(directory, { workers: 0, controlSocket: false })
  // Its first background work ends first; it has no timer that is longer than this one.
  let before = stateOf(directory)
  for (let last: unknown; !isDeepStrictEqual(before, last); before = stateOf(directory)) {
    last = before
    await new Promise((resolve) => setTimeout(resolve, 1200))
  }
  const { code, out, err } = await wisc(['salvage', directory, target])
  expect([code, out]).toEqual([3, ''])
  expect(err).toContain(`pid=${process.pid} (WISC_LOCKED)`)
  expect(stateOf(directory)).toEqual(before)
  expect(fs.existsSync(target)).toBe(false)
  await store.close()
  expect((await wisc(['salvage', directory, target])).code).toBe(0)
})

test('orphans: --delete with nothing to delete asks for the lock, too', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  const store = await open(directory, { workers: 0, controlSocket: false })
  const locked = await wisc(['orphans', directory, '--delete', '--yes'])
  expect([locked.code, locked.out]).toEqual([3, ''])
  expect(locked.err).toContain(`pid=${process.pid}`)
  expect((await wisc(['orphans', directory])).code).toBe(0)
  await store.close()
  expect(await wisc(['orphans', directory, '--delete'])).toMatchObject({
    code: 0,
    out: 'no orphans\n',
  })
})

test.skipIf(!hasScript())('orphans: whoever says no keeps all, and that is no error', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  fs.writeFileSync(path.join(directory, 'CURRENT.tmp'), 'wisc 1\n')
  fs.writeFileSync(path.join(directory, 'notes.txt'), 'mine')
  const command = `${WISC} orphans ${directory} --delete`
  const no = runInTerminal(command, 80, {}, 'n\\n')
  expect([no.code, no.out.includes('nothing was deleted')]).toEqual([0, true])
  expect(filesLike(directory, /tmp|notes/)).toEqual(['CURRENT.tmp', 'notes.txt'])
  const { out } = await wisc(['orphans', directory, '--delete', '--yes'])
  expect(out).toMatch(/^CURRENT\.tmp +temporary .* deleted /m)
  expect(out).toMatch(/^notes\.txt +foreign .* kept /m)
})

test('orphans: a list, then --delete with --yes and the lock', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  expect(await wisc(['orphans', directory])).toMatchObject({
    code: 0,
    out: 'no orphans\n',
    err: '',
  })
  fs.writeFileSync(path.join(directory, 'CURRENT.tmp'), 'wisc 1\n')
  fs.writeFileSync(path.join(directory, 'notes \u001b.txt'), 'mine')
  const { out } = await wisc(['orphans', directory], { env: { COLUMNS: '40' } })
  expect(
    out.replaceAll(/on disk .*/g, 'on disk  (size)').replace(/, .*\n$/, ', (size)\n'),
  ).toMatchInlineSnapshot(`
    "file     CURRENT.tmp
    kind     temporary
    on disk  (size)
    ours     yes
    why      a CURRENT that was not put in
             place

    file     notes \\x1b.txt
    kind     foreign
    on disk  (size)
    ours     no
    why      not a file of a store

    2 files, (size)
    "
  `)
  const refused = await wisc(['orphans', directory, '--delete'])
  expect([refused.code, refused.out]).toEqual([2, ''])
  expect(refused.err).toContain('delete 1 file (CURRENT.tmp): say so with --yes')
  const store = await open(directory, { workers: 0 })
  fs.writeFileSync(path.join(directory, 'CURRENT.tmp'), 'wisc 1\n')
  const locked = await wisc(['orphans', directory, '--delete', '--yes'])
  expect([locked.code, locked.out]).toEqual([3, ''])
  expect(locked.err).toContain(`pid=${process.pid}`)
  await store.close()
  const [report] = await wiscJson(['orphans', directory, '--delete', '--yes'])
  expect(report).toMatchObject({
    orphans: [
      { file: 'CURRENT.tmp', removable: true, removed: true },
      { file: 'notes \u001b.txt', kind: 'foreign', removable: false, removed: false },
    ],
  })
  expect(filesLike(directory, /tmp|notes/)).toEqual(['notes \u001b.txt'])
})

test('advise: figures for programs, tables for people', async () => {
  const { directory, model } = await makeInspectedStore()
  const [report] = await wiscJson(['advise', directory])
  expect(report).toMatchObject({ keys: model.size, unflushedLogBytes: 0 })
  for (const columns of [40, 80]) {
    const { code, out } = await wisc(['advise', directory], { env: { COLUMNS: `${columns}` } })
    expect(code).toBe(0)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns)
    expect(out).toMatch(/^recommended: valueThreshold \d+ \(/m)
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(/values of .* say little of those to come/)
  }
  const { out } = await wisc(['advise', '--help'])
  expect(out.replaceAll(/\s+/g, ' ')).toContain('1 + size of the level / size of the one above')
})

test('advise: a file is no store, a table that is missing is damage', async () => {
  const { directory } = await makeInspectedStore()
  const file = await wisc(['advise', path.join(directory, 'CURRENT')])
  expect([file.code, file.out]).toEqual([2, ''])
  expect(file.err).toMatch(/^wisc: path is not a directory path=[^\n]+ \(WISC_NO_STORE\)\n$/)
  const [table] = filesLike(directory, /sst$/)
  fs.rmSync(path.join(directory, table!))
  const { code, out, err } = await wisc(['advise', directory])
  expect([code, out]).toEqual([4, ''])
  expect(err).toContain(`file is missing file=${table} offset=0 (WISC_CORRUPTION)`)
})

test('a path that is no store is an error of usage', async () => {
  const directory = temporaryDirectory()
  for (const verb of ['orphans', 'advise']) {
    const { code, out, err } = await wisc([verb, path.join(directory, 'missing')])
    expect([code, out], verb).toEqual([2, ''])
    expect(err).toMatch(/^wisc: [^\n]+path=[^\n]+ \(WISC_NO_STORE\)\n$/)
  }
})

test('I11: those that need no lock beside a process that changes everything', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const writer = await startBusyWriter(db, {
    keys: 1000,
    length: 'i % 700',
    first: 'await store.flush()',
  })
  for (let round = 0; round < 3; round++) {
    const [sizes] = await wiscJson<{ keys: number }>(['advise', db])
    expect(sizes!.keys).toBe(1000)
    await wiscJson(['orphans', db])
    for (const name of filesLike(db, /sst$|vlog$|MANIFEST/).slice(-4)) {
      // Gone by now, or with an end that is being written.
      expect([0, 2, 4]).toContain((await wisc(['dump', path.join(db, name), '--json'])).code)
    }
  }
  expect(await writer.stop()).toEqual([0, null])
})
