/** Many small stores in one process: what they cost beside what they hold. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const FACE = new URL('../../dist/lib/index.js', import.meta.url).href
const MIB = 1024 * 1024

/** Forty stores, each written, flushed and read; then it tells what they have cost. */
const PROGRAM = `
  const { open } = await import(${JSON.stringify(FACE)})
  let threads = 0
  process.on('worker', () => threads++)
  // What is loaded and compiled once is nobody's.
  const first = await open(process.argv[1] + '/first')
  await first.put('key', 'value')
  await first.close()
  const before = process.memoryUsage()
  const stores = []
  for (let i = 0; i < 40; i++) {
    const store = await open(process.argv[1] + '/' + i)
    await store.put('key', 'value')
    await store.flush()
    await store.get('key')
    stores.push(store)
  }
  const after = process.memoryUsage()
  await Promise.all(stores.map((store) => store.close()))
  console.log(JSON.stringify({
    threads,
    external: after.external - before.external,
    resident: after.rss - before.rss,
  }))`

test('forty small stores start no thread, and take some MiB together', () => {
  const output = execFileSync(
    process.execPath,
    ['--input-type=module', '-e', PROGRAM, temporaryDirectory()],
    { timeout: 600_000 },
  )
  const cost = JSON.parse(output.toString()) as Record<string, number>
  expect(cost['threads']).toBe(0)
  expect(cost['external']).toBeLessThan(8 * MIB)
  expect(cost['resident']).toBeLessThan(64 * MIB)
})
