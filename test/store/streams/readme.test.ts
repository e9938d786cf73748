/** The example of streams in the README runs, and says what it says. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'

const ROOT = path.join(import.meta.dirname, '../../..')

test('the example runs', () => {
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text]) => text!)
  const example = blocks.find((text) => text.includes('putStream'))!
  const face = pathToFileURL(path.join(ROOT, 'dist/lib/index.js')).href
  const directory = temporaryDirectory()
  fs.writeFileSync(path.join(directory, 'example.mjs'), example.replace("'wisc'", `'${face}'`))
  const film = Buffer.alloc(3_000_000, 'film')
  fs.writeFileSync(path.join(directory, 'film.mp4'), film)
  const shown = execFileSync(process.execPath, ['example.mjs'], { cwd: directory })
  expect(shown.toString()).toBe('1000\n')
  expect(fs.readFileSync(path.join(directory, 'copy.mp4')).equals(film)).toBe(true)
})
