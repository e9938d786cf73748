/** dump through the real command: golden texts, JSON, damage, narrow terminals, files that are none. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { hasScript, runInTerminal, WISC } from '../support/processes/wisc-shell.ts'
import { filesLike, makeInspectedStore, stateOf } from '../support/store/inspected-store.ts'

const GOLDEN = path.join(import.meta.dirname, '../golden')

/** The golden file of a kind that holds certain bytes: its number is of no interest. */
function goldenFile(database: string, kind: RegExp, bytes = ''): string {
  const directory = path.join(GOLDEN, database)
  const holds = (name: string): boolean =>
    fs.readFileSync(path.join(directory, name)).includes(Buffer.from(bytes))
  return `${database}/${filesLike(directory, kind).find(holds)!}`
}

/** What numbers files and edits have changes with everything that is written before. */
const NUMBERS =
  /\b(number|salt|predecessor|predecessorLength|durable\w*|segment|ordinal|offset|checksum|firstSequence)=\w+/g

async function show(...words: string[]): Promise<string> {
  const { code, out, err } = await wisc(['dump', ...words], { cwd: GOLDEN })
  expect([code, err]).toEqual([0, ''])
  return out
    .replaceAll(/(database|databaseId)=[0-9a-f]{32}/g, '$1=(id)')
    .replaceAll(/MANIFEST-\d+/g, 'MANIFEST-(number)')
    .replaceAll(NUMBERS, '$1=(n)')
}

test('a segment, record by record', async () => {
  // Behind them may lie a frame without records, if the writer was not busy.
  const file = goldenFile('closed', /vlog$/, 'batch/1')
  expect(await show(file, '--to', '3300')).toMatchInlineSnapshot(`
    "       0  fileHeader  formatVersion=2  kind=3  kindName=segment  databaseId=(id)  number=(n)  salt=(n)
          64  chain  predecessor=(n)  ordinal=(n)  predecessorLength=(n)  firstSequence=(n)
          96  frame  length=3206  firstSequence=(n)  recordCount=3  durableIn=(n)  durableOffset=(n)  durableEdit=(n)
         160  record  kindName=put  sequence=92  storedLength=3  key="batch/1"  value=(3 bytes)
         210  record  kindName=put  sequence=93  storedLength=3000  key="batch/2"  value=(3000 bytes)
        3257  record  kindName=delete  sequence=94  storedLength=0  key="key/1"
    "
  `)
})

test('CURRENT and a part of a manifest', async () => {
  expect(await show('closed/CURRENT')).toMatchInlineSnapshot(`
    "       0  line  formatVersion=2
           7  line  manifest=MANIFEST-(number)
          32  line  database=(id)
          74  line  checksum=(n)
    "
  `)
  const manifest = goldenFile('closed', /^MANIFEST/)
  const items = await wiscJson<{ what: string; offset: number }>(['dump', manifest], {
    cwd: GOLDEN,
  })
  const last = items.findLast(({ what }) => what === 'frame')!.offset
  const shown = await show(manifest, '--from', `${last}`)
  expect(shown.replaceAll(/^ +\d+/gm, '')).toMatchInlineSnapshot(`
    "  frame  length=98  firstSequence=(n)  recordCount=1  durableIn=(n)  durableOffset=(n)  durableEdit=(n)
      nextFileNumber  number=(n)
      lastSequence  sequence=100
      checkpoint  ordinal=(n)  offset=(n)
      durable  ordinal=(n)  offset=(n)
      cleanEnd  ordinal=(n)  offset=(n)
      removedSegment  number=(n)
      sealedFile  number=(n)  length=2657  lastSequence=100
    "
  `)
})

test('a part of a table', async () => {
  expect(
    await show(goldenFile('closed', /sst$/, 'the empty key'), '--to', '110'),
  ).toMatchInlineSnapshot(`
    "       0  fileHeader  formatVersion=2  kind=2  kindName=table  databaseId=(id)  number=(n)  salt=(n)
          64  entry  key=""  kindName=inline  sequence=1  value=(13 bytes)
          82  entry  key="\\x17\\x7f"  kindName=inline  sequence=62  value=(5 bytes)
          94  entry  key="\\x1d\\xf5"  kindName=inline  sequence=46  value=(5 bytes)
         106  entry  key="B"  kindName=pointer  sequence=37  segment=(n)  offset=(n)  length=741
    "
  `)
})

test('byte by byte', async () => {
  const { out } = await wisc(
    [
      'dump',
      goldenFile('closed', /sst$/, 'the empty key'),
      '--annotate',
      '--from',
      '64',
      '--to',
      '82',
    ],
    { cwd: GOLDEN },
  )
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
    const file = goldenFile('closed', /vlog$/, 'batch/1')
    const narrow = await wisc(['dump', file, '--annotate'], { cwd: GOLDEN, env })
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
  const file = goldenFile('corrupt', /vlog$/, 'batch/1')
  const { code, out, err } = await wisc(['dump', file], { cwd: GOLDEN })
  expect([code, err]).toEqual([4, ''])
  expect(out).toMatch(
    /^ +257 {2}DAMAGE {2}to=3257 {2}value checksum mismatch {2}\(WISC_CORRUPTION\)\n +3257 {2}record/m,
  )
  const items = await wiscJson(['dump', file], { cwd: GOLDEN, code: 4 })
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
  const { out } = runInTerminal(
    `${WISC} dump '${GOLDEN}/${goldenFile('closed', /vlog$/, 'batch/1')}'`,
    40,
    {
      NO_COLOR: '1',
    },
  )
  for (const line of out.split('\r\n')) expect(line.length, line).toBeLessThanOrEqual(40)
  expect(out.replaceAll(/\s+/g, ' ')).toContain('storedLength=3 key="batch/1"')
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
