/** A real process that runs out of descriptors now and then, with threads, beside a real file system. */
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { afterShell, ending, startModuleBy } from '../support/processes/child-process.ts'

/** Takes every descriptor that there is, and gives them back. */
const TAKE = `
  import fs from 'node:fs'
  const { open } = await import(DIST + 'lib/index.js')
  const held = []
  const take = () => {
    try {
      for (;;) held.push(fs.openSync('/dev/null'))
    } catch ({ code }) {
      if (code !== 'EMFILE') throw new Error(code)
    }
  }
  const giveBack = () => {
    for (const descriptor of held.splice(0)) fs.closeSync(descriptor)
  }
  const codes = new Set()`

const CHILD = `${TAKE}
  const options = { segmentBytes: 2 ** 20, memtableBytes: 65536 }
  const store = await open(process.argv[1], options)
  const value = Buffer.alloc(20_000, 7)
  const acknowledged = []
  for (let round = 0; round < 4; round++) {
    take()
    // None is left for the store; in every other round a few, so that something gets half way.
    for (let i = 0; i < round % 2 * 3; i++) fs.closeSync(held.pop())
    for (let i = 0; i < 150; i++) {
      const key = round + '/' + i
      await store.put(key, value).then(() => acknowledged.push(key), ({ code }) => codes.add(code))
    }
    await store.flush().catch(({ code }) => codes.add(code))
    await store.collect().catch(({ code }) => codes.add(code))
    giveBack()
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

/** What is loaded when it is first needed: to open for writing, to verify, to plan for a reader, the native locks. */
const FIRST_USE = `${TAKE}
  const directory = process.argv[1]
  const refusedThenFine = async (call) => {
    take()
    // Enough to look at the directory: what cannot be loaded is met then.
    for (let i = 0; i < 3; i++) fs.closeSync(held.pop())
    await call().then(() => codes.add('taken'), ({ code }) => codes.add(code))
    giveBack()
    return call()
  }
  const store = await refusedThenFine(() => open(directory))
  await store.put('key', 'value')
  const { damage } = await refusedThenFine(() => store.verify())
  // Whoever has the system's lock keeps another process out.
  const { spawnSync } = await import('node:child_process')
  const other = spawnSync(process.execPath, [DIST.slice(7) + 'bin/wisc.js', 'put', directory, 'key', 'other'])
  await store.close()
  const reader = await open(directory, { readOnly: true })
  await refusedThenFine(() => reader.planCollection())
  await reader.close()
  console.log(JSON.stringify({ codes: [...codes], damage: damage.length, other: other.status }))`

test.skipIf(process.platform === 'win32')(
  'what could not be loaded for want of descriptors is loaded when there are some',
  async () => {
    const child = startModuleBy(afterShell('ulimit -n 200'), FIRST_USE, temporaryDirectory())
    const found = JSON.parse(await ending(child))
    expect(found).toEqual({ codes: ['WISC_IO'], damage: 0, other: 3 })
  },
)

/** More files than descriptors, none of which anybody else has. */
const MANY_FILES = `
  import fs from 'node:fs'
  const { open } = await import(DIST + 'lib/index.js')
  const options = { segmentBytes: 65536, memtableBytes: 65536, tree: { tableBytes: 65536 }, controlSocket: false }
  const stores = [await open(process.argv[1] + '/1', options), await open(process.argv[1] + '/2', options)]
  const value = Buffer.alloc(30_000, 7)
  const warnings = []
  for (const store of stores) store.on('warning', (warning) => warnings.push(warning))
  let held = 0
  for (let i = 0; i < 300; i++) {
    for (const store of stores) await store.put('key' + i, value)
    const { openFiles } = stores[0].stats()
    held = Math.max(held, openFiles)
  }
  let read = 0
  for (let i = 0; i < 300; i++) for (const store of stores) if (store.getSync('key' + i).equals(value)) read++
  for (const store of stores) await store.compact()
  const damage = (await stores[0].verify()).damage.length
  for (const store of stores) await store.close()
  console.log(JSON.stringify({ read, damage, warnings, isAtLimit: held > 80 }))`

test.skipIf(process.platform === 'win32')(
  'stores whose caches may hold more files than the process may open go on, each with files of the others',
  async () => {
    const child = startModuleBy(afterShell('ulimit -n 200'), MANY_FILES, temporaryDirectory())
    const found = JSON.parse(await ending(child))
    expect(found).toEqual({ read: 600, damage: 0, warnings: [], isAtLimit: true })
  },
)
