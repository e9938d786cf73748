/** Closing, and a start that fails half way: whatever is thrown on the way, everything is let go. */
import { expect, test, vi } from 'vitest'
import { ControlSocket } from '#dist/lib/control/control-socket.js'
import { releaseAll } from '#dist/lib/engine/close-engine.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { codeOf, openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'

test('every release runs, one after the other; the first error is reported', async () => {
  const done: number[] = []
  const failing = releaseAll([
    () => done.push(1),
    () => {
      throw new Error('second')
    },
    async () => {
      await new Promise((resolve) => setImmediate(resolve))
      done.push(3)
      throw new Error('third')
    },
    () => done.push(4),
  ])
  await expect(failing).rejects.toThrow('second')
  expect(done).toEqual([1, 3, 4])
  await releaseAll([() => undefined])
})

test('a control socket that fails to close keeps neither the engine nor the lock', async () => {
  const directory = temporaryDirectory()
  const store = await openStore(directory, SMALL_OPTIONS)
  const failure = new Error('socket')
  const { close } = ControlSocket.prototype
  vi.spyOn(ControlSocket.prototype, 'close').mockImplementationOnce(async function (
    this: ControlSocket,
  ) {
    await close.call(this)
    throw failure
  })
  await store.put('key', 'value')
  await expect(store.close()).rejects.toBe(failure)
  const again = await openStore(directory, SMALL_OPTIONS)
  expect(again.stats().recovery.clean).toBe(true)
  await again.close()
})

test('an open that fails in the replay lets everything go, and the next one finds all', async () => {
  const fileSystem = new FaultFileSystem()
  const options = { collector: { enabled: false }, maxUnflushedLogBytes: 4 * 1024 * 1024 }
  const store = await openSmallStore({ ...options, memtableBytes: 1024 * 1024 }, fileSystem)
  for (let i = 0; i < 80; i++) await store.put(`key${i}`, Buffer.alloc(5000, i))
  const killed = fileSystem.kill()
  // The replay has to flush, which it cannot.
  let refused = 0
  killed.faults = ({ kind, path }) => {
    if (kind !== 'create' || !path.endsWith('.sst')) return undefined
    refused++
    return { errno: 'EMFILE' }
  }
  const small = { ...options, memtableBytes: 65_536, valueThreshold: 70_000 }
  expect(await codeOf(() => openSmallStore(small, killed))).toBe('WISC_IO')
  expect(refused).toBeGreaterThan(0)
  expect(killed.openFiles).toBe(0)
  expect(killed.violations).toEqual([])
  killed.faults = undefined
  const again = await openSmallStore(small, killed)
  for (let i = 0; i < 80; i++) expect(again.getSync(`key${i}`)).toEqual(Buffer.alloc(5000, i))
})
