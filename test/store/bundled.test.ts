/**
 * A program that was bundled together with the library: there is no file for worker threads beside it. And the library
 * as other loaders have it.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Writes more than runs on the calling thread as a rule, reads it back, and tells what was warned of. */
const PROGRAM = `
  import { open } from ${JSON.stringify(join(ROOT, 'dist/lib/index.js'))}
  async function main(directory) {
    const store = await open(directory)
    const warnings = []
    store.on('warning', (warning) => warnings.push(String(warning)))
    for (let i = 0; i < 3000; i++) void store.put('key' + i, 'value' + i)
    await store.flush()
    await store.compact()
    await store.close()
    const again = await open(directory)
    const value = String(await again.get('key2999'))
    await again.close()
    console.log(JSON.stringify({ warnings, value }))
  }
  main(process.argv[2])`

for (const format of ['esm', 'cjs'] as const) {
  test(`${format}: jobs run on the calling thread, and a warning says what to do`, async () => {
    const directory = temporaryDirectory()
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    writeFileSync(join(directory, 'program.mjs'), PROGRAM)
    const bundle = await rolldown({
      input: join(directory, 'program.mjs'),
      platform: 'node',
      external: ['xxhash-addon', 'fs-native-extensions'],
      logLevel: 'silent',
    })
    const extension = format === 'esm' ? 'mjs' : 'cjs'
    await bundle.write({
      dir: join(directory, 'out'),
      format,
      entryFileNames: `[name].${extension}`,
      chunkFileNames: `[name]-[hash].${extension}`,
    })
    await bundle.close()
    const program = join(directory, `out/program.${extension}`)
    const output = execFileSync(process.execPath, [program, join(directory, 'store')], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 600_000,
    })
    const { warnings, value } = JSON.parse(output.toString()) as Record<string, unknown>
    expect(value).toBe('value2999')
    expect(warnings).toEqual([expect.stringContaining('mark "wisc" as external')])
  })
}

test('as CommonJS, which jest loads, it has its worker threads', () => {
  const program = `
    const { open } = require(${JSON.stringify(join(ROOT, 'dist/lib/bundle/index.cjs'))})
    const threads = []
    process.on('worker', (thread) => threads.push(thread))
    async function main(directory) {
      const store = await open(directory)
      store.on('warning', (warning) => console.log(warning))
      for (let i = 0; i < 3000; i++) void store.put('key' + i, 'value' + i)
      await store.flush()
      console.log(threads.length, String(store.getSync('key2999')))
      await store.close()
    }
    main(process.argv[1])`
  const output = execFileSync(process.execPath, ['-e', program, join(temporaryDirectory(), 'db')], {
    timeout: 600_000,
  })
  expect(output.toString().trim()).toBe('1 value2999')
})

test('require finds the same module as import', () => {
  const program = "import('wisc').then(({ open }) => console.log(open === require('wisc').open))"
  const output = execFileSync(process.execPath, ['-e', program], { cwd: ROOT, timeout: 600_000 })
  expect(output.toString().trim()).toBe('true')
})

test('without msgpackr, its encoding says what is missing, and the others work', async () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(join(ROOT, 'node_modules/xxhash-addon'), join(directory, 'node_modules/xxhash-addon'))
  for (const part of ['index.js', 'bundle', 'base/errors.js']) {
    cpSync(join(ROOT, 'dist/lib', part), join(directory, 'lib', part), { recursive: true })
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(directory, 'program.js'),
    `
    import { open } from './lib/index.js'
    const store = await open('store')
    for (const value of ['json', 'msgpack']) {
      try {
        const view = store.with({ value })
        await view.put('k', { a: 1 })
        console.log(JSON.stringify(await view.get('k')))
      } catch ({ code, message }) {
        console.log(code, message)
      }
    }
    await store.close()`,
  )
  const output = execFileSync(process.execPath, ['program.js'], {
    cwd: directory,
    timeout: 600_000,
  })
  expect(output.toString().trim().split('\n')).toEqual([
    '{"a":1}',
    expect.stringMatching(/^WISC_CODEC_UNAVAILABLE .*msgpackr/),
  ])
})
