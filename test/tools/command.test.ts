/** The frame of the wisc command: exit codes, errors, help, completion, interrupts, readers that go away. */
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { nextLine, startModule } from '../support/processes/child-process.ts'
import { schemaErrors } from '../support/processes/json-schema.ts'
import { makeStore, startWisc, wisc } from '../support/processes/wisc-process.ts'
import { runShell, WISC } from '../support/processes/wisc-shell.ts'
import { unlikeBytes } from '../support/random.ts'

/** Every verb that opens a store, with its arguments behind the path; the first ones only look. */
const LOOKING = [['stat'], ['get', 'a'], ['scan'], ['verify']]
const CHANGING = [['put', 'a', '1'], ['del', 'a'], ['flush'], ['compact']]
/** In an array each, so that they come as one argument. */
const VERBS = [...LOOKING, ...CHANGING].map((verb) => [verb])

function line([verb, ...rest]: readonly string[], db: string): string[] {
  return [verb!, db, ...rest]
}

function namesIn(directory: string): string[] {
  return fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
}

/** Everything but the text of the lock, with times of change. */
function stateOf(directory: string): string[] {
  return namesIn(directory).map((name) => {
    const { size, mtimeMs } = fs.statSync(path.join(directory, name))
    return `${name} ${size} ${mtimeMs}`
  })
}

describe.each(VERBS)('%j', (verb) => {
  test('a path that is no store is an error of usage, and nothing is made there', async () => {
    const directory = temporaryDirectory()
    const missing = path.join(directory, 'missing')
    const foreign = path.join(directory, 'foreign')
    fs.mkdirSync(foreign)
    fs.writeFileSync(path.join(foreign, 'file'), 'content')
    const before = namesIn(directory)
    for (const place of [missing, foreign, path.join(foreign, 'file')]) {
      const { code, out, err } = await wisc(line(verb, place))
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toMatch(/^wisc: [^\n]+path=[^\n]+ \(WISC_NO_STORE\)\n$/)
    }
    const { code, out, err } = await wisc([...line(verb, missing), '--json'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'WISC_NO_STORE', exitCode: 2 } })
    expect(schemaErrors('error', JSON.parse(err))).toEqual([])
    expect(namesIn(directory)).toEqual(before)
  })

  test('a damaged store, or one of another version, has exit code 4', async () => {
    const db = path.join(temporaryDirectory(), 'store')
    await makeStore(db, [['a', '1']])
    const current = path.join(db, 'CURRENT')
    const bytes = fs.readFileSync(current)
    bytes[bytes.length - 1]! ^= 1
    fs.writeFileSync(current, bytes)
    const { code, out, err } = await wisc([...line(verb, db), '--json'])
    expect({ code, out }).toEqual({ code: 4, out: '' })
    const { error } = JSON.parse(err) as { error: object }
    expect(error).toMatchObject({ code: 'WISC_CORRUPTION', file: 'CURRENT', exitCode: 4 })
    expect(schemaErrors('error', { error })).toEqual([])
  })

  test('help has examples', async () => {
    const { code, out, err } = await wisc([verb[0]!, '--help'], { env: { COLUMNS: '100' } })
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`wisc ${verb[0]} <path>`)
    expect(out).toMatch(/Examples:\n {2}wisc /)
    expect(out).toContain('--json')
  })
})

test('I11: verbs that look work beside a writer and write nothing; the others say who has the lock', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const writer = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
     const store = await open(process.argv[1])
     await store.put('a', '1')
     await store.sync()
     // Behind all timers of the store: some time later it notes what it has synced, and looks at its space.
     await new Promise((resolve) => setTimeout(resolve, 1200))
     console.log('ready')
     setInterval(() => {}, 1000)`,
    db,
  )
  try {
    await nextLine(writer)
    const before = stateOf(db)
    for (const verb of LOOKING) {
      expect(await wisc(line(verb, db)), verb[0]).toMatchObject({ code: 0, err: '' })
    }
    expect((await wisc(['get', db, 'a'])).out).toBe('1')
    expect(stateOf(db)).toEqual(before)
    for (const verb of CHANGING) {
      const { code, out, err } = await wisc(line(verb, db))
      expect({ code, out }).toEqual({ code: 3, out: '' })
      expect(err).toMatch(new RegExp(`^wisc: [^\\n]+pid=${writer.pid} \\(WISC_LOCKED\\)\\n$`))
    }
  } finally {
    writer.kill('SIGKILL')
    await once(writer, 'close')
  }
})

test('a process of its own ends by itself, with the code and the words of one that runs on', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(db, [['a', '1']])
  const broken = path.join(temporaryDirectory(), 'broken')
  fs.cpSync(db, broken, { recursive: true })
  fs.writeFileSync(path.join(broken, 'CURRENT'), 'wisc 1\n')
  const store = await open(db, { workers: 0, controlSocket: false })
  for (const [code, words] of [
    [0, ['get', db, 'a']],
    [0, ['scan', db, '--json']],
    [0, ['help']],
    [1, ['get', db, 'b']],
    [2, ['get', db]],
    [3, ['put', db, 'a', '2']],
    [4, ['get', broken, 'a']],
  ] as const) {
    const alone = await wisc(words, { alone: true })
    expect(alone.code, words.join(' ')).toBe(code)
    expect(await wisc(words), words.join(' ')).toEqual(alone)
  }
  await store.close()
})

test.each([
  [['stat']],
  [['get', 'db']],
  [['put', 'db', 'a', 'b', 'c']],
  [['scan', 'db', '--frobnicate']],
  [['get', 'db', '\u001b[31m', '\u001b[31m\n']],
  [['get', '']],
  [['stat', '']],
])('%j is an error of usage in one line', async (words) => {
  const { code, out, err } = await wisc(words)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/^wisc: [\x20-\x7e]+\n$/)
})

test('no verb, version, completion', async () => {
  expect(await wisc([])).toMatchObject({
    code: 2,
    out: '',
    err: 'wisc: name a verb; see wisc --help\n',
  })
  expect((await wisc(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  const script = await wisc(['completion'], { env: { SHELL: '/bin/bash' } })
  expect([script.code, script.err]).toEqual([0, ''])
  expect(script.out).toContain('complete -o bashdefault -o default -F _wisc_yargs_completions wisc')
  const complete = async (...words: string[]): Promise<string[]> => {
    const { out, err } = await wisc(['--get-yargs-completions', 'wisc', ...words], {
      env: { SHELL: '/bin/bash' },
    })
    expect(err).toBe('')
    return out.split('\n').slice(0, -1)
  }
  expect(await complete('')).toEqual(expect.arrayContaining(['stat', 'get', 'put', 'scan']))
  // Behind a verb the shell itself completes paths.
  expect(await complete('stat', '')).not.toContain('get')
  expect(await complete('scan', 'db', '--')).toEqual(
    expect.arrayContaining(['--prefix', '--keys-only', '--json']),
  )
})

describe('a large store', () => {
  let db: string
  // Of this test file, not of one test.
  beforeAll(async () => {
    const directory = fs.mkdtempSync(path.join(fs.realpathSync('/tmp'), 'wisc-test-'))
    db = path.join(directory, 'store')
    const entries = Array.from({ length: 20_000 }, (_, i) => [`key ${i}`, 'v'.repeat(900)] as const)
    await makeStore(db, entries)
    return () => fs.rmSync(directory, { recursive: true })
  })

  test('a reader that has seen enough is no error', () => {
    for (const words of ['scan', 'scan --json', 'scan --keys-only']) {
      const [verb, ...rest] = words.split(' ')
      const all = `${WISC} ${verb} ${db} ${rest.join(' ')}`
      const { code, out, err } = runShell(`{ ${all}; echo $? >&2; } | head -n 2`)
      expect({ code, err }).toEqual({ code: 0, err: '0\n' })
      expect(out.split('\n')).toHaveLength(3)
    }
  })

  test('a closed standard output does not change the result of a check', () => {
    for (const words of [`stat ${db}`, `verify ${db}`, `get ${db} 'key 1'`, '--help']) {
      const { err } = runShell(
        // Nobody reads any more when a line cannot be written.
        `{ trap '' PIPE; while echo; do :; done 2>&-; ${WISC} ${words}; echo $? >&2; } | true`,
      )
      expect(err, words).toBe('0\n')
    }
  })

  test.skipIf(!fs.existsSync('/dev/full'))('output that cannot be written is an error', () => {
    for (const words of [`scan ${db}`, `get ${db} 'key 1'`, `stat ${db} --json`]) {
      const { code, err } = runShell(`${WISC} ${words} > /dev/full`)
      expect({ code, words }).toEqual({ code: 5, words })
      expect(err).toContain('ENOSPC')
    }
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s stops a scan whose reader does not read',
    async (signal) => {
      const child = startWisc(['scan', db])
      const closed = once(child, 'close')
      let err = ''
      child.stderr!.on('data', (data: Buffer) => {
        err += data.toString()
      })
      // The pipe is full some time after the first byte; nobody reads on.
      await once(child.stdout!, 'readable')
      await new Promise((resolve) => setTimeout(resolve, 300))
      child.kill(signal)
      await once(child, 'exit')
      child.stdout!.resume()
      expect((await closed)[0]).toBe(130)
      expect(err).toBe('wisc: interrupted\n')
    },
  )
})

test.skipIf(process.platform === 'win32')('output that is cut off is an error', async () => {
  const directory = temporaryDirectory()
  const db = path.join(directory, 'store')
  await makeStore(db, [['large', 'x'.repeat(1_000_000)]])
  for (const words of [`get ${db} large`, `scan ${db}`, `get ${db} large --json`]) {
    const { code, err } = runShell(`ulimit -f 100; ${WISC} ${words} > ${directory}/output`)
    expect({ code, words }).toEqual({ code: 5, words })
    expect(err).toContain('EFBIG')
  }
})

test('values of any length come from files and pipes, and go there, whole and in part', async () => {
  const directory = temporaryDirectory()
  const [db, file, copy] = ['store', 'file', 'copy'].map((name) => path.join(directory, name))
  const value = unlikeBytes(5_000_000)
  fs.writeFileSync(file!, value)
  expect(runShell(`${WISC} put '${db}' a --create --json < '${file}'`)).toMatchObject({
    ...{ code: 0, err: '' },
    out: '{"key":"a","bytes":5000000}\n',
  })
  expect(runShell(`cat '${file}' | ${WISC} put '${db}' b`)).toEqual({ code: 0, out: '', err: '' })
  for (const key of ['a', 'b']) {
    expect((await wisc(['get', db!, key])).bytes.equals(value)).toBe(true)
    expect(runShell(`${WISC} get '${db}' ${key} > '${copy}'`)).toEqual({
      code: 0,
      out: '',
      err: '',
    })
    expect(fs.readFileSync(copy!).equals(value)).toBe(true)
  }
  const refused = runShell(`${WISC} put '${db}' a < '${directory}'`)
  expect([refused.code, refused.err]).toEqual([5, expect.stringContaining('EISDIR')])
  expect((await wisc(['get', db!, 'a'])).bytes.equals(value)).toBe(true)
  const part = ['get', db!, 'a', '--offset', '1MiB', '--length']
  expect((await wisc([...part, '1000'])).bytes.equals(value.subarray(1048576, 1049576))).toBe(true)
  expect((await wisc([...part, '1GiB'])).bytes.equals(value.subarray(1048576))).toBe(true)
  const { out } = await wisc([
    'get',
    db!,
    '61',
    '--hex',
    '--json',
    '--offset',
    '1MiB',
    '--length',
    '10',
  ])
  expect(out).toContain(value.subarray(1048576, 1048586).toString('hex'))
  expect(await wisc(['get', db!, 'a', '--offset', '1TiB'])).toMatchObject({ code: 0, out: '' })
  expect(await wisc(['get', db!, 'a', '--offset', '-1'])).toMatchObject({ code: 2, out: '' })
  // There is no half of a byte.
  expect(await wisc(['get', db!, 'a', '--length', '1.5'])).toMatchObject({ code: 2, out: '' })
})

test('an interrupt while a value is read stores nothing and gives the lock back', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(db, [['a', '1']])
  const child = startWisc(['put', db, 'b'])
  child.stdin!.write('half of ')
  const lock = path.join(db, 'LOCK')
  while (!fs.existsSync(lock) || !fs.readFileSync(lock, 'utf8').startsWith(`${child.pid} `)) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.kill('SIGINT')
  expect((await once(child, 'close'))[0]).toBe(130)
  expect(await wisc(['scan', db])).toMatchObject({ code: 0, out: 'a\t1\n' })
  expect(await wisc(['put', db, 'b', '2'])).toMatchObject({ code: 0 })
})

test('an interrupt and the end of the input at once store nothing', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(db, [['a', '1']])
  for (let round = 0; round < 8; round++) {
    const child = startWisc(['put', db, 'b'])
    child.stdin!.write('half of ')
    const lock = path.join(db, 'LOCK')
    while (!fs.readFileSync(lock, 'utf8').startsWith(`${child.pid} `)) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // By then it waits for the rest.
    await new Promise((resolve) => setTimeout(resolve, 100))
    child.kill('SIGINT')
    child.stdin!.end()
    expect((await once(child, 'close'))[0]).toBe(130)
  }
  expect(await wisc(['scan', db])).toMatchObject({ code: 0, out: 'a\t1\n' })
})

test.each([
  [['get', 'db'], 'missing KEY; see wisc get --help'],
  [['put'], 'missing PATH KEY; see wisc put --help'],
  [['foo'], 'unknown verb: foo; see wisc --help'],
  [['foo', 'bar', '--x'], 'unknown verb: foo; see wisc --help'],
  [['put', 'db', 'a', 'b', 'c'], 'unknown argument: c; see wisc put --help'],
  [['scan', 'db', '--max-copy', '1'], 'unknown argument: max-copy; see wisc scan --help'],
  [['scan', 'db', '--limit'], '--limit needs a value; see wisc scan --help'],
  [['report', 'db'], 'missing --html; see wisc report --help'],
  [
    ['segments', 'db', '--sort', 'beauty'],
    '--sort must be one of file, size, disk, live, dead, hidden, age: beauty; see wisc segments --help',
  ],
])('%j says what is wrong in words of the verb', async (words, text) => {
  expect(await wisc(words)).toMatchObject({ code: 2, out: '', err: `wisc: ${text}\n` })
})

test('damage that ends a verb is followed by a hint, but not in JSON', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await makeStore(db, [['a', '1']])
  fs.writeFileSync(path.join(db, 'CURRENT'), 'wisc 1\n')
  const { code, out, err } = await wisc(['stat', db])
  expect([code, out]).toEqual([4, ''])
  expect(err).toMatch(/^wisc: [^\n]+ \(WISC_CORRUPTION\)\nwisc: hint: wisc salvage [^\n]+\n$/)
  expect((await wisc(['stat', db, '--json'])).err).toMatch(/^\{[^\n]+\}\n$/)
})
