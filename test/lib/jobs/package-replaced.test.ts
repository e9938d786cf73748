/** A package that is replaced while a process runs: an update installs files of other names in its place. */
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { runModule } from '../../support/processes/child-process.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** The files of the library alone, which nothing else uses. */
function installed(): string {
  const directory = temporaryDirectory()
  for (const part of ['bundle', 'base'])
    cpSync(join(ROOT, 'dist/lib', part), join(directory, 'lib', part), { recursive: true })
  mkdirSync(join(directory, 'node_modules'))
  for (const name of ['xxhash-addon', 'fs-native-extensions'])
    symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name))
  return directory
}

const CODE = `
  import { rmSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  const [, library, directory, ms] = process.argv
  const { open } = await import(library + '/index.js')
  const store = await open(directory, { workers: 0 })
  store.on('error', () => {})
  await store.put('a', '1')
  await setTimeout(Number(ms))
  rmSync(new URL(library), { recursive: true })
  const flushed = await store.flush().then(() => 'flushed', (error) => String(error.cause ?? error))
  await Promise.allSettled([store.close()])
  console.log(flushed)
`

test('some time after an open the library is loaded as far as writes need it: its files may go', async () => {
  let told = ''
  // How long that takes is the machine's matter.
  for (let ms = 1000; ms <= 16_000 && told !== 'flushed'; ms *= 4) {
    const directory = installed()
    const library = pathToFileURL(join(directory, 'lib/bundle')).href
    told = (await runModule(CODE, library, join(temporaryDirectory(), 'db'), String(ms))).trim()
    rmSync(directory, { recursive: true })
  }
  expect(told).toBe('flushed')
})
