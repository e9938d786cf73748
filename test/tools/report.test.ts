/** report through the real command: the page is whole, alone, safe, and a real browser shows it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { reportPage } from '#dist/tools/report/page.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { runShell, WISC } from '../support/processes/wisc-shell.ts'
import { holdOpen, storeWithGarbage, tell } from '../support/store/busy-store.ts'

const BROWSER = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
)
const VOID = ['meta', 'rect', 'path']

/** Each element that is opened is closed, in order; attributes are quoted. @returns names of elements */
function checkMarkup(page: string): string[] {
  const names: string[] = []
  const open: string[] = []
  const body = page.replace(/^<!doctype html>/, '').replace(/<style>[^<]*<\/style>/, '')
  for (const [tag, close, name, attributes, isClosed] of body.matchAll(
    /<(\/?)([a-z]\w*)((?:\s+[\w:-]+="[^"<>]*")*)\s*(\/?)>/g,
  )) {
    if (close) expect(open.pop(), tag).toBe(name)
    else {
      names.push(name!)
      if (!isClosed && !VOID.includes(name!)) open.push(name!)
      expect(attributes, tag).not.toMatch(/\s(on\w+|href|src|action|xlink:href)=/)
    }
  }
  expect(open).toEqual([])
  const text = body.replaceAll(/<\/?[a-z]\w*(?:\s+[\w:-]+="[^"<>]*")*\s*\/?>/g, '')
  expect(text).not.toMatch(/[<>]/)
  return names
}

async function pageOf(db: string): Promise<string> {
  const { code, out, err } = await wisc(['report', db, '--html', '-'])
  expect([code, err]).toEqual([0, ''])
  return out
}

test('the page is whole and needs nothing else', async () => {
  const db = await storeWithGarbage()
  const page = await pageOf(db)
  const names = checkMarkup(page)
  for (const name of ['svg', 'table', 'h1', 'title']) expect(names).toContain(name)
  for (const name of ['script', 'link', 'img', 'iframe', 'object', 'form', 'a']) {
    expect(names).not.toContain(name)
  }
  expect(page).not.toMatch(/url\(|@import|https?:/)
  expect(page).toContain('prefers-color-scheme: dark')
  expect(page).toContain('name="viewport"')
  const rows = await wiscJson<{ file: string }>(['segments', db])
  for (const { file } of rows) expect(page).toContain(`<td class="text">${file}</td>`)
})

test('a name cannot become markup', async () => {
  const name = `<script>alert('1')</script>"&\u001b[2J\u202e`
  const db = path.join(temporaryDirectory(), name.replaceAll('/', '|'))
  await makeStore(db, [['a', 'x'.repeat(3000)]], { controlSocket: false })
  const page = await pageOf(db)
  expect(checkMarkup(page)).not.toContain('script')
  expect(page).toContain('&lt;script&gt;alert(&#39;1&#39;)')
  expect(page).toContain('&quot;&amp;\\x1b[2J\\u{202e}')
})

test('an empty store, and a store that another process writes', async () => {
  const empty = path.join(temporaryDirectory(), 'store')
  await makeStore(empty, [])
  checkMarkup(await pageOf(empty))
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  await tell(child, 'overwrite')
  const page = await pageOf(db)
  checkMarkup(page)
  expect(page).toContain('pinned by snapshots')
  await tell(child, 'close')
})

test('it overwrites nothing, least of all the store', async () => {
  const db = await storeWithGarbage()
  const file = path.join(temporaryDirectory(), 'report.html')
  const [told] = await wiscJson<{ bytes: number }>(['report', db, '--html', file])
  expect(fs.statSync(file).size).toBe(told!.bytes)
  for (const target of [file, path.join(db, 'CURRENT')]) {
    const before = fs.readFileSync(target)
    const { code, err } = await wisc(['report', db, '--html', target])
    expect([code, err.includes('there is a file already')]).toEqual([2, true])
    expect(fs.readFileSync(target)).toEqual(before)
  }
  expect((await wisc(['report', db])).code).toBe(2)
  expect((await wisc(['report', db, '--html', '-', '--json'])).code).toBe(2)
  expect((await wisc(['report', db, '--html', `${file}/x`])).code).toBe(5)
})

test.skipIf(process.platform === 'win32')(
  'what cannot be finished is removed, and named',
  async () => {
    const db = await storeWithGarbage()
    const directory = temporaryDirectory()
    const file = path.join(directory, 'page.html')
    const { code, err } = runShell(`ulimit -f 2; ${WISC} report ${db} --html ${file}`)
    expect(code).toBe(5)
    expect(err).toContain(`EFBIG: file too large, write: ${file}`)
    expect(fs.readdirSync(directory)).toEqual([])
  },
)

test('thousands of files make a page of bounded size', async () => {
  const db = await storeWithGarbage()
  const { openStore: open } = await import('#dist/lib/store/open-store.js')
  const { segmentRows } = await import('#dist/lib/inspect/collection/segment-report.js')
  const store = await open(db, { readOnly: true })
  const [row] = await segmentRows(store, { isExact: true, readers: [] })
  const segments = Array.from({ length: 20_000 }, (_, i) => ({
    ...row!,
    ageSeconds: 1,
    number: i + 1,
  }))
  const stats = store.stats()
  await store.close()
  const page = reportPage({ path: db, at: new Date(0), stats, segments, sizes: [] })
  expect(page.length).toBeLessThan(20 * 1024 * 1024)
  expect(page).toContain('and 18,000 more files')
})

test.skipIf(!BROWSER)('a browser shows it, light and dark', async () => {
  const db = await storeWithGarbage()
  const directory = temporaryDirectory()
  const file = path.join(directory, 'report.html')
  await wisc(['report', db, '--html', file])
  const shots = [
    ['light', '900,1400', []],
    ['dark', '500,1400', ['--blink-settings=preferredColorScheme=0']],
  ] as const
  const pictures = shots.map(([name, size, more]) => {
    const picture = path.join(directory, `${name}.png`)
    const words = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars']
    const { status } = spawnSync(
      BROWSER!,
      [...words, `--screenshot=${picture}`, `--window-size=${size}`, ...more, `file://${file}`],
      { timeout: 600_000, env: { ...process.env, HOME: directory } },
    )
    expect(status).toBe(0)
    return fs.readFileSync(picture)
  })
  for (const picture of pictures) expect(picture.length).toBeGreaterThan(10_000)
  expect(pictures[0]!.equals(pictures[1]!)).toBe(false)
})

test('a directory is no file for a page', async () => {
  const db = await storeWithGarbage()
  const { code, out, err } = await wisc(['report', db, '--html', db])
  expect([code, out]).toEqual([2, ''])
  expect(err).toBe(`wisc: --html must be a new file, this is a directory: ${db}\n`)
})
