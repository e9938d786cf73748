/** --help in all its forms, words that were meant otherwise, and the examples of every verb, pasted into a shell. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import type { Verb } from '#dist/tools/verb/verb.js'
import { loadVerbs } from '#dist/tools/verbs.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { nextLine, startModule } from '../support/processes/child-process.ts'
import { hasTmux, startTerminal } from '../support/processes/tmux.ts'
import { PATIENCE, WISC, wisc } from '../support/processes/wisc-process.ts'
import { WISC as WISC_WORDS } from '../support/processes/wisc-shell.ts'
import { holdOpen, storeWithGarbage } from '../support/store/busy-store.ts'

test('help is to be had in every way that people try', async () => {
  const ofGc = await wisc(['gc', '--help'])
  expect(ofGc).toMatchObject({ code: 0, err: '' })
  for (const words of [
    ['help', 'gc'],
    ['gc', '-h'],
  ]) {
    expect(await wisc(words), words.join(' ')).toEqual(ofGc)
  }
  const ofAll = await wisc(['--help'])
  for (const words of [['help'], ['-h']]) expect(await wisc(words)).toEqual(ofAll)
  for (const words of [
    ['completion', '--help'],
    ['help', 'completion'],
  ]) {
    const { code, out, err } = await wisc(words)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^wisc completion\n/)
    expect(out).not.toContain('compdef')
  }
})

test.each([
  [['sacn', 'db'], 'unknown verb: sacn, did you mean scan?; see wisc --help'],
  [['help', 'sgements'], 'unknown verb: sgements, did you mean segments?; see wisc --help'],
  [['frobnicate', '--help'], 'unknown verb: frobnicate; see wisc --help'],
  [
    ['scan', 'db', '--limt', '3'],
    'unknown argument: limt, did you mean --limit?; see wisc scan --help',
  ],
  [
    ['gc', 'db', '--dryrun'],
    'unknown argument: dryrun, did you mean --dry-run?; see wisc gc --help',
  ],
  [['scan', 'db', '--zzz'], 'unknown argument: zzz; see wisc scan --help'],
])('%j: the error says what may have been meant', async (words, text) => {
  expect(await wisc(words)).toMatchObject({ code: 2, out: '', err: `wisc: ${text}\n` })
})

test('errors name what the command has, not the API', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, { workers: 0, controlSocket: false })
  const { code, err } = await wisc(['del', db, 'a'])
  await store.close()
  expect(code).toBe(3)
  expect(err).toMatch(new RegExp(`: close it there .*pid=${process.pid} \\(WISC_LOCKED\\)`))
  expect(err).not.toContain('readOnly')
})

test.skipIf(process.platform === 'win32')('the command is a program of its own', () => {
  const { status, stdout } = spawnSync(WISC, ['--version'], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
  const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: path.join(path.dirname(WISC), '../..'),
    encoding: 'utf8',
  })
  const [{ files }] = JSON.parse(packed.stdout) as [
    { files: { readonly path: string; readonly mode: number }[] },
  ]
  expect(files.find((file) => file.path === 'dist/bin/wisc.js')?.mode).toBe(0o755)
})

test.skipIf(!hasTmux())('what ends a verb stands on a line of its own', async () => {
  const db = await storeWithGarbage()
  await holdOpen(db)
  // At this rate it would take minutes.
  const terminal = startTerminal(`${WISC_WORDS} gc ${db} --target-amp 1 --rate 4096`, 80, 24)
  await terminal.until(/^gc: rewrite/m)
  terminal.press('C-c')
  expect(await terminal.until(/wisc: interrupted/)).toMatch(/^wisc: interrupted$/m)
})

/** What the examples name: a directory to paste them in. */
async function makePlace(): Promise<string> {
  const place = temporaryDirectory()
  const at = (...names: string[]): string => path.join(place, ...names)
  const store = await open(at('photos.db'), {
    workers: 0,
    segmentBytes: 65536,
    valueThreshold: 0,
    collector: { enabled: false },
  })
  for (let i = 0; i < 150; i++) await store.put(`album/${i % 50}`, Buffer.alloc(2000, i))
  await store.put('cat.jpg', 'a cat')
  await store.put('--odd', 'odd')
  await store.put(Buffer.from('00ff', 'hex'), 'no text')
  await store.compact()
  await store.close()
  fs.cpSync(at('photos.db'), at('broken.db'), { recursive: true })
  fs.rmSync(at('broken.db', 'CURRENT'))
  for (const name of ['photos', 'node_modules/a', 'bin'])
    fs.mkdirSync(at(name), { recursive: true })
  for (const name of ['cat.jpg', 'photos/cat.jpg', 'node_modules/a/index.js', '.bashrc']) {
    fs.writeFileSync(at(name), 'content')
  }
  fs.symlinkSync(WISC, at('bin/wisc'))
  // It need not be installed: what it is given must be JSON.
  const jq =
    "process.stdin.setEncoding('utf8').on('data', (text) => text.trim().split('\\n').map(JSON.parse))"
  fs.writeFileSync(at('bin/jq'), `#!${process.execPath}\n${jq}\n`, { mode: 0o755 })
  return place
}

async function paste(commandLine: string, place: string): Promise<[number, string]> {
  const env = {
    ...process.env,
    ...PATIENCE,
    HOME: place,
    PATH: `${place}/bin:${process.env['PATH']}`,
  }
  const child = spawn('bash', ['-o', 'pipefail', '-c', commandLine], { cwd: place, env })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      text += data.toString()
    })
  }
  child.stdin.end()
  const [code] = (await once(child, 'close')) as [number]
  return [code, text]
}

/**
 * Runs the examples of one verb, one after the other: some use files that those before have made. Each finds the store
 * as it was.
 */
async function pasteAll({ usage, examples }: Verb, pristine: string, place: string): Promise<void> {
  const [verb] = usage.split(' ')
  if (verb === 'demo') fs.rmSync(path.join(place, 'photos.db'), { recursive: true })
  if (verb === 'top') await holdStore(path.join(place, 'photos.db'))
  const { out } = await wisc(['help', verb!], { env: { COLUMNS: '80' } })
  expect(examples.length).toBeGreaterThan(0)
  for (const [commandLine, does] of examples) {
    if (verb !== 'top' && verb !== 'demo') {
      fs.rmSync(path.join(place, 'photos.db'), { recursive: true })
      fs.cpSync(path.join(pristine, 'photos.db'), path.join(place, 'photos.db'), {
        recursive: true,
      })
    }
    // In one piece.
    expect(out).toContain(`  ${commandLine}`)
    expect(out).toContain(`# ${does}`)
    const isEndless = verb === 'top' && !commandLine.includes('--count')
    const pasted = isEndless ? `${commandLine} --count 1` : commandLine
    const [code, text] = await paste(pasted, place)
    expect({ commandLine, code, text }).toEqual({ commandLine, code: 0, text })
  }
}

test.skipIf(process.platform === 'win32')('every example runs as it is shown', async () => {
  const place = await makePlace()
  const verbs = await loadVerbs([])
  const others = temporaryDirectory()
  const inTurn = async (): Promise<void> => {
    for (let verb = verbs.pop(); verb !== undefined; verb = verbs.pop()) {
      const copy = path.join(others, verb.usage.split(' ')[0]!)
      fs.cpSync(place, copy, { recursive: true, verbatimSymlinks: true })
      await pasteAll(verb, place, copy)
    }
  }
  await Promise.all([inTurn(), inTurn()])
})

async function holdStore(db: string): Promise<void> {
  const child = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
     const store = await open(process.argv[1], { workers: 0 })
     console.log('open')
     setInterval(() => {}, 1000)`,
    db,
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  await nextLine(child)
}
