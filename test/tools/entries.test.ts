/** get, put, del and scan through the real command: bytes in, the same bytes out. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { runShell, WISC } from '../support/processes/wisc-shell.ts'

const ODD = Buffer.from('00ff0a0d1bc3', 'hex')

function newPath(): string {
  return path.join(temporaryDirectory(), 'store')
}

test('put makes no store unless it is told to, and what it put is there', async () => {
  const db = newPath()
  const refused = await wisc(['put', db, 'a', '1'])
  expect([refused.code, fs.existsSync(db)]).toEqual([2, false])
  expect(await wiscJson(['put', db, 'a', '1', '--create'])).toEqual([{ key: 'a', bytes: 1 }])
  expect(await wisc(['put', db, 'a', '2'])).toMatchObject({ code: 0, out: '', err: '' })
  expect(await wisc(['get', db, 'a'])).toMatchObject({ code: 0, out: '2', err: '' })
  expect(await wiscJson(['del', db, 'a'])).toEqual([{ key: 'a' }])
  for (const verb of ['get', 'del']) {
    const gone = await wisc([verb, db, 'a'])
    expect(gone).toMatchObject({ code: 1, out: '', err: 'wisc: key not found: "a"\n' })
  }
})

test('del of a range counts its keys, asks, and removes them all', async () => {
  const db = newPath()
  const keys = ['a/1', 'a/2', 'a/3', 'b/1']
  await makeStore(
    db,
    keys.map((key) => [key, 'value'] as const),
  )
  const asked = await wisc(['del', db, '--prefix', 'a/'])
  expect([asked.code, asked.err]).toEqual([
    2,
    expect.stringContaining('this deletes 3 keys: say so with --yes'),
  ])
  expect((await wisc(['get', db, 'a/1'])).code).toBe(0)
  expect(await wiscJson(['del', db, '--prefix', 'a/', '--yes'])).toEqual([{ keys: 3 }])
  await wisc(['put', db, 'c/1', '1'])
  expect((await wisc(['del', db, '--prefix', 'c/', '--yes'])).out).toBe('1 key deleted\n')
  expect(await wiscJson(['scan', db, '--keys-only'])).toEqual([{ key: 'b/1' }])
  expect(await wiscJson(['del', db, '--gte', 'a', '--lt', 'b', '--yes'])).toEqual([{ keys: 0 }])
  expect(await wisc(['del', db, '--prefix', 'nope', '--yes'])).toMatchObject({
    code: 0,
    out: '0 keys deleted\n',
  })
  for (const ends of [
    ['--gte', 'b', '--lt', 'a'],
    ['--gt', 'b', '--lte', 'b'],
  ]) {
    expect(await wisc(['del', db, ...ends, '--yes'])).toMatchObject({
      code: 2,
      err: 'wisc: no key lies in this range: its lower end must be below its upper one\n',
    })
  }
  expect((await wisc(['del', db])).err).toContain('give a key, or a range of keys')
  expect((await wisc(['del', db, 'a', '--prefix', 'b'])).err).toContain('not both')
  // A variable that is not set.
  expect(await wisc(['del', db, '--prefix', '', '--yes'])).toMatchObject({
    code: 2,
    err: 'wisc: --prefix is empty; all keys are --gte=\n',
  })
  expect(await wiscJson(['del', db, '--gte=', '--yes'])).toEqual([{ keys: 1 }])
})

test('values are bytes, from a pipe and from a file, also large ones', async () => {
  const db = newPath()
  const large = Buffer.alloc(5_000_000, ODD)
  await wisc(['put', db, 'large', '--create'], { input: large })
  await wisc(['put', db, 'empty'], { input: '' })
  expect((await wisc(['get', db, 'large'])).bytes.equals(large)).toBe(true)
  expect((await wisc(['get', db, 'empty'])).bytes).toHaveLength(0)
  const [entry] = await wiscJson<{ valueBase64: string }>(['get', db, 'large'])
  expect(Buffer.from(entry!.valueBase64, 'base64').equals(large)).toBe(true)
})

test.skipIf(process.platform === 'win32')(
  'a file is read and written in place of a pipe',
  async () => {
    const db = newPath()
    const [source, target] = ['source', 'target'].map((name) => path.join(path.dirname(db), name))
    const large = Buffer.alloc(3_000_001, ODD)
    fs.writeFileSync(source!, large)
    const put = runShell(
      `${WISC} put ${db} k --create < ${source} && ${WISC} get ${db} k > ${target}`,
    )
    expect(put).toMatchObject({ code: 0, err: '' })
    expect(fs.readFileSync(target!).equals(large)).toBe(true)
  },
)

/** Words that a parser of options would like to change. */
const WORDS = [
  '',
  ' ',
  '007',
  '1e3',
  '0x10',
  '-5',
  '"quoted"',
  "'q'",
  'true',
  'false',
  '__proto__',
  'a.b',
  'a=b',
  '漢字',
  '\u001b[31m',
  'line\nbreak',
]
const DASHED = ['-', '--', '-x', '--json', '--hex=1', '--gt']

test('any word can be a key and a value', async () => {
  const db = newPath()
  await makeStore(db, [])
  for (const word of WORDS) {
    expect(await wisc(['put', db, word, word])).toMatchObject({ code: 0, err: '' })
  }
  expect(await wisc(['get', db, '"quoted"'])).toMatchObject({ code: 0, out: '"quoted"' })
  // A switch in front of it does not swallow it.
  expect(await wisc(['get', db, '--json', 'true'])).toMatchObject({ code: 0 })
  for (const word of DASHED) {
    expect(await wisc(['put', db, '--', word, word])).toMatchObject({ code: 0, err: '' })
  }
  expect(await wisc(['get', '--', db, '--json'])).toMatchObject({ code: 0, out: '--json' })
  const words = [...WORDS, ...DASHED].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)))
  expect(await wiscJson(['scan', db])).toEqual(words.map((word) => ({ key: word, value: word })))
  expect(await wiscJson(['scan', db, '--gte=--gt', '--lt=--h'])).toEqual([
    { key: '--gt', value: '--gt' },
  ])
  expect(await wiscJson(['scan', db, '--prefix', '"q', '--keys-only'])).toEqual([
    { key: '"quoted"' },
  ])
  expect(await wiscJson(['scan', db, '--prefix="quoted"', '--keys-only'])).toEqual([
    { key: '"quoted"' },
  ])
})

test('hexadecimal names bytes that are no text', async () => {
  const db = newPath()
  await makeStore(db, [[ODD, 'odd']])
  expect(await wiscJson(['put', db, '--hex', 'FF00', '00fe'])).toEqual([
    { keyHex: 'ff00', bytes: 2 },
  ])
  expect((await wisc(['get', db, '--hex', 'ff00'])).bytes.toString('hex')).toBe('00fe')
  expect((await wisc(['scan', db, '--hex'])).out).toBe('00ff0a0d1bc3\t6f6464\nff00\t00fe\n')
  expect((await wisc(['scan', db])).out).toBe(
    '\\x00\\xff\\n\\r\\x1b\\xc3\todd\n\\xff\\x00\t\\x00\\xfe\n',
  )
  expect(await wiscJson(['scan', db])).toEqual([
    { keyBase64: ODD.toString('base64'), value: 'odd' },
    { keyBase64: '/wA=', valueBase64: 'AP4=' },
  ])
  for (const word of ['f', 'zz', '0x00', 'ff 00']) {
    expect(await wisc(['get', db, '--hex', word])).toMatchObject({ code: 2, out: '' })
  }
  // Node shows what is no UTF-8 as U+FFFD: it could be anything.
  expect((await wisc(['put', db, '\ufffd', 'x'])).err).toMatch(/use --hex\n$/)
})

test('a scan takes exactly its range', async () => {
  const db = newPath()
  const keys = ['a', 'b', 'b/1', 'b/2', 'b0', 'c', '\uffff']
  await makeStore(db, [...keys.map((key) => [key, key] as const), [Buffer.of(0xff, 0xff), 'last']])
  const scan = async (...words: string[]): Promise<string[]> => {
    const { code, out, err } = await wisc(['scan', db, '--keys-only', ...words])
    expect([code, err]).toEqual([0, ''])
    return out.split('\n').slice(0, -1)
  }
  const all = [...keys, '\\xff\\xff']
  expect(await scan()).toEqual(all)
  expect(await scan('--reverse', '--limit', '3')).toEqual(all.slice(-3).reverse())
  expect(await scan('--limit', '0')).toEqual([])
  expect(await scan('--gt', 'a', '--lte', 'b0')).toEqual(['b', 'b/1', 'b/2', 'b0'])
  expect(await scan('--gte', 'b', '--lt', 'b0')).toEqual(['b', 'b/1', 'b/2'])
  expect(await scan('--prefix', 'b/')).toEqual(['b/1', 'b/2'])
  expect(await scan('--prefix', 'b', '--gt', 'b/1', '--reverse')).toEqual(['b0', 'b/2'])
  expect(await scan('--prefix', 'b', '--gt', 'a', '--lt', 'z')).toEqual(['b', 'b/1', 'b/2', 'b0'])
  expect(await scan('--prefix', 'b', '--gt', 'c')).toEqual([])
  expect(await scan('--hex', '--prefix', 'ff')).toEqual(['ffff'])
  expect(await scan('--hex', '--prefix', 'ffff', '--reverse')).toEqual(['ffff'])
  expect(await scan('--prefix', '')).toEqual(all)
  for (const words of [
    ['--limit', '-1'],
    ['--limit', '1.5'],
    ['--limit', 'many'],
    ['--gt', 'a', '--gte', 'a'],
    ['--lt', 'a', '--lte', 'a'],
  ]) {
    expect(await wisc(['scan', db, ...words])).toMatchObject({ code: 2, out: '' })
  }
})

test('a store that is not there yet: the error names --create, where that would help', async () => {
  const db = newPath()
  expect((await wisc(['put', db, 'a', '1'])).err).toContain('--create would make one')
  fs.mkdirSync(db)
  expect((await wisc(['put', db, 'a', '1'])).err).toContain('--create would make one')
  fs.writeFileSync(path.join(db, 'file'), 'content')
  expect((await wisc(['put', db, 'a', '1'])).err).not.toContain('--create')
})

test('a long key that is not found is cut, with its length', async () => {
  const db = newPath()
  await makeStore(db, [['a', '1']])
  const { code, err } = await wisc(['get', db, 'é'.repeat(30_000)])
  expect([code, err]).toEqual([1, `wisc: key not found: "${'é'.repeat(128)}…" (60000 bytes)\n`])
})

test('values that expire: put --ttl, and what get and scan tell of them by --stat', async () => {
  const db = newPath()
  const before = Date.now()
  await wisc(['put', db, 'ann', 'token', '--ttl', '3600000', '--create'])
  await wisc(['put', db, 'piped', '--ttl', '3600000'], { input: 'token' })
  await wisc(['put', db, 'bob', 'longer'])
  const [ann] = (await wiscJson(['get', db, 'ann', '--stat'])) as [{ expiresAt: string }]
  expect(ann).toMatchObject({ key: 'ann', size: 5, storedSize: 5, inline: true, segment: null })
  const expiresAt = Date.parse(ann.expiresAt)
  expect(expiresAt).toBeGreaterThanOrEqual(before + 3_600_000)
  expect(expiresAt).toBeLessThanOrEqual(Date.now() + 3_600_000)
  const listed = (await wiscJson(['scan', db, '--stat'])) as { expiresAt: string | null }[]
  expect(listed).toMatchObject([ann, { key: 'bob', size: 6, expiresAt: null }, { key: 'piped' }])
  expect(listed[2]!.expiresAt).not.toBeNull()
  expect((await wisc(['scan', db, '--stat'])).out.split('\n')).toEqual([
    `ann\t5 bytes, expires ${ann.expiresAt}`,
    'bob\t6 bytes',
    `piped\t5 bytes, expires ${listed[2]!.expiresAt}`,
    '',
  ])
  expect((await wisc(['get', db, 'ann', '--stat'])).out).toContain(ann.expiresAt)
  expect((await wisc(['get', db, 'none', '--stat'])).code).toBe(1)
  for (const words of [
    ['get', db, 'ann', '--stat', '--length', '1'],
    ['scan', db, '--stat', '--keys-only'],
    ['put', db, 'a', '1', '--ttl', '0'],
    ['put', db, 'a', '1', '--ttl', 'soon'],
  ])
    expect((await wisc(words)).code, words.join(' ')).toBe(2)
  const { err } = await wisc(['put', newPath(), 'a', '1', '--create', '--ttl', '10s'])
  expect(err).toBe('wisc: --ttl must be a whole number of milliseconds, 1 or more\n')
})

test('touch says anew when a value is gone, by --ttl or --expires-at, as put does', async () => {
  const db = newPath()
  const moment = '2140-01-31T12:00:00.000Z'
  await wisc(['put', db, 'a', 'token', '--create', '--expires-at', moment])
  expect(await wiscJson(['get', db, 'a', '--stat'])).toMatchObject([{ expiresAt: moment }])
  const later = `${Date.parse(moment) + 1}`
  expect(await wiscJson(['touch', db, 'a', '--expires-at', later])).toEqual([
    { key: 'a', expiresAt: '2140-01-31T12:00:00.001Z' },
  ])
  expect(await wisc(['touch', db, 'a', '--ttl', '3600000'])).toEqual(
    expect.objectContaining({ code: 0, out: '', err: '' }),
  )
  expect((await wisc(['get', db, 'a'])).out).toBe('token')
  expect((await wisc(['touch', db, 'none', '--ttl', '1000'])).code).toBe(1)
  for (const words of [
    ['touch', db, 'a'],
    ['touch', db, 'a', '--ttl', '1000', '--expires-at', moment],
    ['touch', db, 'a', '--expires-at', 'tomorrow'],
    ['touch', db, 'a', '--expires-at', '2020-01-01'],
  ])
    expect((await wisc(words)).code, words.join(' ')).toBe(2)
})
