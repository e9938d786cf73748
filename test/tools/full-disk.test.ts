/** A real disk that is full, alone with a store: a small one in memory, in a namespace of its own. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { afterShell, ending, startModuleBy } from '../support/processes/child-process.ts'
import { WISC } from '../support/processes/wisc-process.ts'

const NAMESPACE = ['unshare', '-rm']

function mountAt(directory: string): readonly string[] {
  return [...NAMESPACE, ...afterShell(`mount -t tmpfs -o size=48m none '${directory}'`)]
}

/** Why it cannot be tried here, if it cannot. */
function obstacle(): string | undefined {
  const [command, ...rest] = [...mountAt(temporaryDirectory()), 'true']
  const { status, stderr, error } = spawnSync(command!, rest, { encoding: 'utf8' })
  return status === 0 ? undefined : `no namespaces: ${error?.message ?? stderr.trim()}`
}

const CHILD = `
  import { spawnSync } from 'node:child_process'
  import fs from 'node:fs'
  const { open } = await import(DIST + 'lib/index.js')
  const [volume, wisc] = process.argv.slice(1)
  const directory = volume + '/db'
  const value = (i) => Buffer.alloc(30_000, i)
  const free = () => {
    const { bavail, bsize } = fs.statfsSync(volume)
    return bavail * bsize
  }
  const command = (...given) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [wisc, ...given], { encoding: 'utf8' })
    return status === 0 ? 'fine' : stdout + stderr
  }
  const options = { segmentBytes: 4 * 2 ** 20, collector: { enabled: false } }
  const found = {}

  // Created and filled in one session, then some of it deleted, where nothing else makes room.
  let store = await open(directory, options)
  let count = 0
  for (;;) {
    const error = await store.put('key' + count, value(count)).then(() => undefined, (cause) => cause)
    if (error) {
      found.full = error.code
      break
    }
    count++
  }
  for (let i = 0; i < 300; i++) await store.delete('key' + i)
  await store.flush()
  await store.close()

  // Somebody else takes what is free, to the last byte: the ballast that was left is all there is.
  const others = fs.openSync(volume + '/others', 'w')
  while (free() > 0) fs.writeSync(others, Buffer.alloc(Math.min(free(), 2 ** 20)))
  found.del = command('del', directory, 'key300')
  found.gc = command('gc', directory, '--target-amp', '1.05')
  found.freed = free() > 2_000_000
  fs.writeSync(others, Buffer.alloc(free()))

  store = await open(directory, options)
  for (let i = 301; i < 600; i++) await store.delete('key' + i)
  await store.flush()
  found.collected = (await store.collect({ targetSpaceAmplification: 1.05 })).bytesFreed > 2_000_000
  await store.put('again', 'value')
  found.lost = 0
  for (let i = 600; i < count; i++) if (!store.getSync('key' + i)?.equals(value(i))) found.lost++
  found.back = 0
  for (let i = 0; i < 600; i++) if (store.hasSync('key' + i)) found.back++
  await store.close()
  console.log(JSON.stringify(found))`

test('what fills up a disk is deleted from, flushed, collected, closed and opened, by the command, too', async ({
  skip,
}) => {
  const reason = obstacle()
  if (reason !== undefined) skip(reason)
  const volume = temporaryDirectory()
  const printed = await ending(startModuleBy(mountAt(volume), CHILD, volume, WISC))
  expect(JSON.parse(printed)).toEqual({
    full: 'WISC_DISK_FULL',
    del: 'fine',
    gc: 'fine',
    freed: true,
    collected: true,
    lost: 0,
    back: 0,
  })
})
