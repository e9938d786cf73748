/** A real process that runs out of descriptors now and then, with threads, beside a real file system. */
import { expect, test } from 'vitest'
import { afterShell, ending, startModuleBy } from '../support/child-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const CHILD = `
  import fs from 'node:fs'
  const { open } = await import(DIST + 'lib/index.js')
  const options = { segmentBytes: 2 ** 20, memtableBytes: 65536 }
  const store = await open(process.argv[1], options)
  const value = Buffer.alloc(20_000, 7)
  const acknowledged = []
  const codes = new Set()
  for (let round = 0; round < 4; round++) {
    const held = []
    try {
      for (;;) held.push(fs.openSync('/dev/null'))
    } catch ({ code }) {
      if (code !== 'EMFILE') throw new Error(code)
    }
    // None is left for the store; in every other round a few, so that something gets half way.
    for (let i = 0; i < round % 2 * 3; i++) fs.closeSync(held.pop())
    for (let i = 0; i < 150; i++) {
      const key = round + '/' + i
      await store.put(key, value).then(() => acknowledged.push(key), ({ code }) => codes.add(code))
    }
    await store.flush().catch(({ code }) => codes.add(code))
    await store.collect().catch(({ code }) => codes.add(code))
    for (const descriptor of held) fs.closeSync(descriptor)
    await store.flush()
    await store.put('after' + round, value)
    acknowledged.push('after' + round)
  }
  await store.compact()
  const { damage } = await store.verify()
  const error = store.stats().backgroundError
  await store.close()
  const again = await open(process.argv[1], options)
  const lost = acknowledged.filter((key) => !again.getSync(key)?.equals(value))
  await again.close()
  console.log(JSON.stringify({ codes: [...codes], damage: damage.length, error, lost, count: acknowledged.length }))`

test.skipIf(process.platform === 'win32')(
  'a process without descriptors: writes fail with WISC_IO, all goes on when there are some again',
  async () => {
    const printed = await ending(
      startModuleBy(afterShell('ulimit -n 200'), CHILD, temporaryDirectory()),
    )
    const { count, ...found } = JSON.parse(printed)
    expect(found).toEqual({ codes: ['WISC_IO'], damage: 0, lost: [] })
    expect(count).toBeGreaterThan(100)
  },
)
