/** The wisc command with its verb demo, as a process: exit codes, output, what it leaves behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { WISC, wiscJson } from '../support/processes/wisc-process.ts'

interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
  /** What stays in its temporary directory. */
  readonly left: readonly string[]
}

/** Runs wisc with a temporary directory of its own. */
async function wisc(
  commandArguments: readonly string[],
  options: { cwd?: string; nodeOptions?: string } = {},
): Promise<Result> {
  const temporary = temporaryDirectory()
  const child = spawn(process.execPath, [WISC, ...commandArguments], {
    cwd: options.cwd,
    env: { ...process.env, TMPDIR: temporary, NODE_OPTIONS: options.nodeOptions },
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err, left: fs.readdirSync(temporary) }
}

/** Names and contents of a tree with what is odd: empty files, deep paths, bytes that are no UTF-8. */
function makeTree(): { directory: string; files: Map<string, Buffer> } {
  const directory = temporaryDirectory()
  const files = new Map<string, Buffer>()
  for (let i = 0; i < 40; i++) {
    const name = `${i % 4 === 0 ? 'deep/er/' : ''}file ${String(i).padStart(2, '0')}`
    files.set(name, Buffer.alloc(i === 3 ? 0 : i * i * 50, `${i} `))
  }
  files.set('large', Buffer.alloc(3 * 1024 * 1024, 'large'))
  fs.mkdirSync(path.join(directory, 'deep/er'), { recursive: true })
  fs.mkdirSync(path.join(directory, 'empty'))
  for (const [name, bytes] of files) fs.writeFileSync(path.join(directory, name), bytes)
  return { directory, files }
}

function row(out: string, name: string): string | undefined {
  return new RegExp(`^${name} {2,}(\\S+)$`, 'm').exec(out)?.[1]
}

test('every file is kept, a part is overwritten and deleted, and the table says so', async () => {
  const { directory, files } = makeTree()
  fs.symlinkSync('large', path.join(directory, 'link'))
  const keep = path.join(temporaryDirectory(), 'kept')
  const { code, out, err, left } = await wisc(['demo', directory, '--keep', keep])
  expect({ code, err, left }).toEqual({
    code: 0,
    err: 'skipped "link": not a regular file\n',
    left: [],
  })
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0)
  expect(row(out, 'files')).toBe(`${files.size}`)
  expect(row(out, 'bytes')).toBe(`${bytes}`)
  expect(row(out, 'mismatches')).toBe('0')
  expect(Number(row(out, 'bytes written per user byte'))).toBeGreaterThan(0.9)
  expect(Number(row(out, 'space per live byte'))).toBeGreaterThan(0.9)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(out + err).not.toMatch(/[\x00-\x09\x0b-\x1f]/)

  const store = await open(keep, { createIfMissing: false })
  const states = { same: 0, overwritten: 0, deleted: 0 }
  for (const [name, original] of files) {
    const value = await store.get(name)
    if (!value) states.deleted++
    else if (value.equals(original)) states.same++
    else {
      expect(value.subarray(-original.length).equals(original) || original.length === 0).toBe(true)
      states.overwritten++
    }
  }
  await store.close()
  expect(states).toEqual({ same: 29, overwritten: 7, deleted: 5 })
})

test('without --keep nothing is left; by default it takes node_modules here', async () => {
  const { directory, files } = makeTree()
  const project = temporaryDirectory()
  fs.renameSync(directory, path.join(project, 'node_modules'))
  const { code, out, left } = await wisc(['demo'], { cwd: project })
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(row(out, 'files')).toBe(`${files.size}`)
})

test('other bytes than the file are a mismatch', async () => {
  const { directory } = makeTree()
  // Each reading of this file gives other bytes, though nobody has written to it.
  const patch = `import fs from 'node:fs'
    const { readFileSync } = fs
    let reads = 0
    fs.readFileSync = (path, ...rest) => {
      const bytes = readFileSync(path, ...rest)
      if (String(path).endsWith('file 01')) bytes[0] = reads++
      return bytes
    }`
  const nodeOptions = `--import=data:text/javascript,${encodeURIComponent(patch)}`
  const { code, out, err } = await wisc(['demo', directory], { nodeOptions })
  expect([code, row(out, 'mismatches')]).toEqual([4, '2'])
  expect(err).toBe('MISMATCH "file 01": other bytes than the file\n'.repeat(2))
})

test('the report as JSON', async () => {
  const { directory, files } = makeTree()
  const [report] = await wiscJson(['demo', directory])
  expect(report).toMatchObject({ files: files.size, mismatches: 0, skipped: 0 })
})

test('an empty directory is fine', async () => {
  const { code, out } = await wisc(['demo', temporaryDirectory()])
  expect([code, row(out, 'files'), row(out, 'space per live byte')]).toEqual([0, '0', '-'])
})

test.skipIf(process.platform !== 'linux')('names need not be UTF-8, and are escaped', async () => {
  const directory = temporaryDirectory()
  fs.writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.of(0xff, 0x1b)]), 'odd')
  fs.symlinkSync('/', path.join(directory, '\u001b[31m'))
  const { code, out, err } = await wisc(['demo', directory])
  expect([code, row(out, 'files')]).toEqual([0, '1'])
  expect(err).toBe('skipped "\\u001b[31m": not a regular file\n')
})

test.each([
  ['no verb', []],
  ['an unknown verb', ['frobnicate']],
  ['an unknown option', ['demo', '.', '--frobnicate']],
  ['one directory too many', ['demo', '.', '..']],
  ['no value of an option', ['demo', '.', '--keep']],
  ['no such directory', ['demo', './nothing-here']],
  ['a file in place of a directory', ['demo', WISC]],
  ['a directory to keep it in that holds something else', ['demo', '.', '--keep', '.']],
])('%s is an error of usage', async (_, commandArguments) => {
  const directory = temporaryDirectory()
  fs.writeFileSync(path.join(directory, 'file'), 'content')
  const { code, out, err, left } = await wisc(commandArguments, { cwd: directory })
  expect({ code, out, left }).toEqual({ code: 2, out: '', left: [] })
  expect(err).toMatch(/^wisc: [^\n]+\n$/)
  expect(fs.readdirSync(directory)).toEqual(['file'])
})

test('help and version are fine', async () => {
  const help = await wisc(['--help'])
  expect([help.code, help.err]).toEqual([0, ''])
  expect(help.out).toContain('demo')
  const version = await wisc(['--version'])
  expect([version.code, version.err]).toEqual([0, ''])
  expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('an interrupted demo takes back what it began', async () => {
  const { directory } = makeTree()
  // So many that it is still at it.
  for (let i = 0; i < 20_000; i++) fs.writeFileSync(path.join(directory, `many ${i}`), 'x')
  const temporary = temporaryDirectory()
  const env = { ...process.env, TMPDIR: temporary }
  const child = spawn(process.execPath, [WISC, 'demo', directory], { env })
  while (fs.readdirSync(temporary).length === 0) await new Promise((go) => setTimeout(go, 5))
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(130)
  expect(fs.readdirSync(temporary)).toEqual([])
})
