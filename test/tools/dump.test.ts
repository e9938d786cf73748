/** dump through the real command: golden texts, JSON, damage, narrow terminals, files that are none. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { hasScript, runInTerminal, WISC } from '../support/processes/wisc-shell.ts'
import { filesLike, makeInspectedStore, stateOf } from '../support/store/inspected-store.ts'

const GOLDEN = path.join(import.meta.dirname, '../golden')

/** The golden file of this ending that has this text in it: their numbers change when they are made anew. */
function goldenFile(database: string, ending: RegExp, text: string): string {
  const directory = path.join(GOLDEN, database)
  const name = filesLike(directory, ending).find((each) =>
    fs.readFileSync(path.join(directory, each)).includes(text),
  )
  return `${database}/${name}`
}

const SEGMENT = goldenFile('closed', /vlog$/, 'batch/2')
const CORRUPT_SEGMENT = goldenFile('corrupt', /vlog$/, 'batch/2')
const TABLE = goldenFile('closed', /sst$/, 'the empty key')
const MANIFEST = goldenFile('closed', /MANIFEST/, '')

async function show(...words: string[]): Promise<string> {
  const { code, out, err } = await wisc(['dump', ...words], { cwd: GOLDEN })
  expect([code, err]).toEqual([0, ''])
  return out.replaceAll(/databaseId=579995747a9af94e569d41a95464549e/g, 'databaseId=(id)')
}

test('a segment, record by record', async () => {
  expect(await show(SEGMENT)).toMatchInlineSnapshot(`
    "       0  fileHeader  formatVersion=1  kind=3  kindName=segment  databaseId=(id)  number=14  salt=2896958250
          64  chain  predecessor=7  predecessorLength=3912  firstSequence=92
          96  frame  length=3206  firstSequence=92  recordCount=3  durableFile=7  durableOffset=3912  durableEdit=18
         160  record  kindName=put  sequence=92  storedLength=3  key="batch/1"  value=(3 bytes)
         210  record  kindName=put  sequence=93  storedLength=3000  key="batch/2"  value=(3000 bytes)
        3257  record  kindName=delete  sequence=94  storedLength=0  key="key/1"
    "
  `)
})

test('CURRENT and a part of a manifest', async () => {
  expect(await show('closed/CURRENT')).toMatchInlineSnapshot(`
    "       0  line  formatVersion=1
           7  line  manifest=MANIFEST-000013
          32  line  database=579995747a9af94e569d41a95464549e
          74  line  checksum=e0d14231
    "
  `)
  const items = await wiscJson<{ what: string; offset: number }>(['dump', MANIFEST], {
    cwd: GOLDEN,
  })
  const from = items.findLast(({ what }) => what === 'frame')!.offset
  expect(await show(MANIFEST, '--from', `${from}`)).toMatchInlineSnapshot(`
    "     687  frame  length=98  firstSequence=23  recordCount=1  durableFile=13  durableOffset=687  durableEdit=22
         755  nextFileNumber  number=18
         758  lastSequence  sequence=100
         761  checkpoint  segment=15  offset=2657
         766  durable  segment=15  offset=2657
         771  cleanEnd  segment=15  offset=2657
         776  sealedSegment  number=15  length=2657  lastSequence=100
         782  removedSegment  number=16
    "
  `)
})

test('a part of a table', async () => {
  expect(await show(TABLE, '--to', '110')).toMatchInlineSnapshot(`
    "       0  fileHeader  formatVersion=1  kind=2  kindName=table  databaseId=(id)  number=10  salt=886061271
          64  entry  key=""  kindName=inline  sequence=1  value=(13 bytes)
          82  entry  key="\\x17\\x7f"  kindName=inline  sequence=62  value=(5 bytes)
          94  entry  key="\\x1d\\xf5"  kindName=inline  sequence=46  value=(5 bytes)
         106  entry  key="B"  kindName=pointer  sequence=37  segment=4  offset=801  length=741
    "
  `)
})

test('byte by byte', async () => {
  const { out } = await wisc(['dump', TABLE, '--annotate', '--from', '64', '--to', '82'], {
    cwd: GOLDEN,
  })
  expect(out).toMatchInlineSnapshot(`
    "      64  entry
                                       key ""
                                       kindName inline
                                       sequence 1
          64  00                       shared 0
          65  00                       unshared 0
          66  01                       tag 1
          67  00                       distance 0
                                       unsharedKey ""
          68  0d                       length 13
          69  ..                       value (13 bytes)
    "
  `)
  for (const columns of [40, 80, 140]) {
    const env = { COLUMNS: `${columns}` }
    const narrow = await wisc(['dump', SEGMENT, '--annotate'], { cwd: GOLDEN, env })
    for (const line of narrow.out.split('\n'))
      expect(line.length, line).toBeLessThanOrEqual(columns)
  }
})

test('every file of a store as JSON, with and without values', async () => {
  const { directory } = await makeInspectedStore({ collect: true, keys: 40 })
  const before = stateOf(directory)
  for (const name of filesLike(directory, /./)) {
    const file = path.join(directory, name)
    await wiscJson(['dump', file])
    await wiscJson(['dump', file, '--annotate', '--to', '500'])
  }
  expect(stateOf(directory)).toEqual(before)
})

test('values are shown if they are asked for', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(db, [
    ['a\u001b[31m', 'plain\n'],
    ['odd', Buffer.from([255, 0])],
  ])
  const name = filesLike(db, /vlog$/).find((each) => fs.statSync(path.join(db, each)).size > 0)!
  const file = path.join(db, name)
  const records = async (...words: string[]) => {
    const items = await wiscJson<{ what: string; fields: object }>(['dump', file, ...words])
    return items.filter(({ what }) => what === 'record').map(({ fields }) => fields)
  }
  expect(await records()).toMatchObject([
    { kindName: 'put', key: 'a\u001b[31m', valueBytes: 6 },
    { key: 'odd', valueBytes: 2 },
  ])
  expect(await records('--values')).toMatchObject([{ value: 'plain\n' }, { valueBase64: '/wA=' }])
  expect(await records('--values', '--hex')).toMatchObject([
    { keyHex: '611b5b33316d' },
    { valueHex: 'ff00' },
  ])
  const { out } = await wisc(['dump', file, '--values'])
  expect(out).toContain('key="a\\x1b[31m"  value=plain\\n\n')
  expect(out).not.toContain('\u001b')
})

test('damage: where, why, what comes behind it, and exit code 4', async () => {
  const { code, out, err } = await wisc(['dump', CORRUPT_SEGMENT], { cwd: GOLDEN })
  expect([code, err]).toEqual([4, ''])
  expect(out).toMatch(
    /^ +257 {2}DAMAGE {2}to=3257 {2}value checksum mismatch {2}\(WISC_CORRUPTION\)\n +3257 {2}record/m,
  )
  const items = await wiscJson(['dump', CORRUPT_SEGMENT], { cwd: GOLDEN, code: 4 })
  expect(items).toContainEqual({
    what: 'damage',
    offset: 257,
    length: 3000,
    code: 'WISC_CORRUPTION',
    reason: 'value checksum mismatch',
  })
})

test('what is no file is an error of usage, what is no file of a store is damage', async () => {
  for (const [place, text] of [
    ['nothing', 'there is no file at this path'],
    ['.', 'this is a directory'],
  ] as const) {
    const { code, out, err } = await wisc(['dump', place], { cwd: GOLDEN })
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(`wisc: ${text}`)
  }
  expect(await wisc(['dump', 'closed.json'], { cwd: GOLDEN })).toMatchObject({
    code: 4,
    out: expect.stringContaining('not a file of a wisc database') as string,
  })
})

test.skipIf(!hasScript())('in a terminal of 40 columns lines are wrapped', () => {
  const { out } = runInTerminal(`${WISC} dump '${GOLDEN}/${SEGMENT}'`, 40, {
    NO_COLOR: '1',
  })
  for (const line of out.split('\r\n')) expect(line.length, line).toBeLessThanOrEqual(40)
  expect(out.replaceAll(/\s+/g, ' ')).toContain('kindName=put sequence=92 storedLength=3')
  expect(out).not.toContain('\u001b[')
})

test('nothing to show: why', async () => {
  const empty = path.join(temporaryDirectory(), '000007.vlog')
  fs.writeFileSync(empty, '')
  const nothing = { code: 0, out: '' }
  expect(await wisc(['dump', empty])).toMatchObject({ ...nothing, err: 'wisc: empty file\n' })
  expect(await wisc(['dump', empty, '--json'])).toMatchObject({ ...nothing, err: '' })
  const behind = await wisc(['dump', 'closed/CURRENT', '--from', '999'], { cwd: GOLDEN })
  expect(behind).toMatchObject(nothing)
  expect(behind.err).toMatch(
    /^wisc: nothing to show: the file ends at offset \d+, before --from\n$/,
  )
  expect(
    await wisc(['dump', 'closed/CURRENT', '--from', '9', '--to', '9'], { cwd: GOLDEN }),
  ).toMatchObject({ code: 2, out: '', err: 'wisc: --from must be below --to\n' })
})
