/** The queue of the README: it runs as it stands there, and hands each job out once. */
import fs from 'node:fs'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { Store } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const ROOT = path.join(import.meta.dirname, '../..')

test('eight workers, each job once, none left', async () => {
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const example = [...readme.matchAll(/^```js\n([\s\S]*?)^```$/gm)]
    .map((match) => match[1]!)
    .find((text) => text.includes('async function worker'))!
  const [, claiming = ''] = example.split('const claim')
  expect(claiming.trim().split('\n').length).toBeLessThanOrEqual(15)
  const directory = temporaryDirectory()
  const file = path.join(directory, 'queue.mjs')
  const library = pathToFileURL(path.join(ROOT, 'dist/lib/index.js')).href
  const program = example
    .replace("from 'wisc'", `from '${library}'`)
    .replace('./jobs.db', path.join(directory, 'jobs.db'))
  fs.writeFileSync(file, `${program}\nexport { store, worker }\n`)
  const { store, worker } = (await import(pathToFileURL(file).href)) as {
    store: Store
    worker: (handle: (task: string) => Promise<void>) => Promise<void>
  }
  const handled: string[][] = Array.from({ length: 8 }, () => [])
  await Promise.all(
    handled.map((mine) =>
      worker(async (task) => {
        mine.push(task)
        await nextTurn()
      }),
    ),
  )
  expect(handled.every((mine) => mine.length > 0)).toBe(true)
  const all = handled.flat()
  expect(new Set(all).size).toBe(500)
  expect(all).toHaveLength(500)
  expect(await store.keys().nextMany(9)).toEqual([])
  await store.close()
})
