/** The ground of a writer: when it is asked, what counts as lost, and that what is lost stays so. */
import { expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import type { SystemIdentity } from '#dist/lib/base/files/file-system.js'
import { Ground } from '#dist/lib/base/files/ground.js'
import { GuardedFileSystem } from '#dist/lib/base/files/guarded-file-system.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'

const DB = '/db'

class AskedFileSystem extends MemoryFileSystem {
  asked = 0
  refuses = false

  override identify(path: string): SystemIdentity | undefined {
    this.asked++
    if (this.refuses) throw new IoError('stat', path, 'EACCES')
    return super.identify(path)
  }
}

function fixture(): { system: AskedFileSystem; ground: Ground; guarded: GuardedFileSystem } {
  const system = new AskedFileSystem()
  system.replace(`${DB}/CURRENT`, Buffer.from('one'))
  const ground = Ground.ofWriter(system, DB)
  return { system, ground, guarded: new GuardedFileSystem(system, ground) }
}

test('a write to the log asks nothing, until a MiB has been written', () => {
  const { system, guarded } = fixture()
  const log = guarded.open(`${DB}/000001.vlog`, 'create')
  system.asked = 0
  const bytes = new Uint8Array(1024)
  for (let i = 0; i < 1023; i++) log.write(bytes, 0, bytes.length, i * bytes.length)
  expect(system.asked).toBe(0)
  system.identities.set(DB, undefined)
  expect(() => log.write(bytes, 0, bytes.length, 1023 * bytes.length)).toThrow('ESTALE')
  // A larger one at once.
  const other = fixture()
  const next = other.guarded.open(`${DB}/000001.vlog`, 'create')
  other.system.identities.set(`${DB}/LOCK`, undefined)
  expect(() => next.writev([new Uint8Array(2 ** 20)], 0)).toThrow('LOCK was removed')
  expect(other.system.contents(`${DB}/000001.vlog`)).toHaveLength(0)
})

test('whatever makes, removes or syncs something asks; what only reads does not', async () => {
  const { system, guarded } = fixture()
  const files = ['000001.vlog', '000002.sst', 'MANIFEST-000003'].map((name) =>
    guarded.open(`${DB}/${name}`, 'create'),
  )
  const before = [...system.files.keys()]
  system.identities.set(DB, { id: 'another', stamp: '', size: 0 })
  const one = new Uint8Array(1)
  const changes: (() => unknown)[] = [
    () => guarded.open(`${DB}/000009.sst`, 'create'),
    () => guarded.open(`${DB}/000001.vlog`, 'punch'),
    () => guarded.makeDirectory(`${DB}/lost`),
    () => guarded.rename(`${DB}/000001.vlog`, `${DB}/x`),
    () => guarded.unlink(`${DB}/000001.vlog`),
    () => guarded.unlinkAsync(`${DB}/000001.vlog`),
    () => guarded.syncDirectory(DB),
    () => guarded.syncDirectoryAsync(DB),
    ...files.flatMap((file) => [
      () => file.sync(),
      () => file.dataSync(),
      () => file.dataSyncAsync(),
      () => file.punch(0, 4096),
      () => file.writevAsync([one], 0),
      () => file.write(one, 0, 1, 0),
    ]),
  ]
  for (const change of changes) {
    await expect(async () => change()).rejects.toMatchObject({ code: 'WISC_IO', errno: 'ESTALE' })
  }
  expect([...system.files.keys()]).toEqual(before)
  expect(guarded.open(`${DB}/CURRENT`, 'read').stat().size).toBe(3)
  expect(guarded.list(DB)).toContain('CURRENT')
})

test('holes ask before each run of them, and after so many', () => {
  const { system, guarded } = fixture()
  const made = guarded.open(`${DB}/000001.vlog`, 'create')
  for (let i = 0; i < 16; i++) made.write(new Uint8Array(4096), 0, 4096, i * 4096)
  const file = guarded.open(`${DB}/000001.vlog`, 'punch')
  const asked = (): number => {
    const { asked: calls } = system
    system.asked = 0
    return calls
  }
  asked()
  file.punch(0, 4096)
  expect(asked()).toBeGreaterThan(0)
  file.punch(4096, 4096)
  expect(asked()).toBe(0)
  file.stat()
  const once = asked()
  expect(once).toBeGreaterThan(0)
  for (let i = 0; i < 640; i++) file.punch(4096 * (i % 16), 4096)
  expect(asked()).toBe(9 * once)
  system.identities.set(DB, undefined)
  expect(() => file.stat()).toThrow('the directory was removed or renamed')
  expect(() => file.punch(0, 4096)).toThrow('the directory was removed or renamed')
  made.close()
  file.close()
})

test('lost is lost, and whoever has to know is told once', () => {
  const { system, ground } = fixture()
  const told: IoError[] = []
  ground.onLost((error) => told.push(error))
  ground.check()
  system.identities.set(DB, undefined)
  expect(() => ground.check()).toThrow('the directory was removed or renamed')
  system.identities.clear()
  expect(() => ground.check()).toThrow('the directory was removed or renamed')
  expect(told).toHaveLength(1)
  // Whoever comes later is told, too.
  ground.onLost((error) => told.push(error))
  expect(told[1]).toBe(told[0])
})

test('what cannot be asked is not lost', () => {
  const { system, ground } = fixture()
  system.refuses = true
  ground.check()
  system.refuses = false
  ground.check()
})

test('a CURRENT that says the same is the same; one of this writer counts from when it is put in place', () => {
  const { system, ground, guarded } = fixture()
  const current = `${DB}/CURRENT`
  system.identities.set(current, { id: 'copied', stamp: '1', size: 3 })
  ground.check()
  system.replace(`${DB}/CURRENT.tmp`, Buffer.from('two'))
  guarded.rename(`${DB}/CURRENT.tmp`, current)
  ground.check()
  system.replace(current, Buffer.from('one'))
  system.identities.set(current, { id: 'copied', stamp: '2', size: 3 })
  expect(() => ground.check()).toThrow('CURRENT was replaced by another')
})

test('the manifest must hold what was written to it, for as long as it is used', () => {
  const { system, ground, guarded } = fixture()
  const name = `${DB}/MANIFEST-000003`
  const manifest = guarded.open(name, 'create')
  manifest.write(new Uint8Array(10), 0, 10, 0)
  system.identities.set(name, { id: 'same', stamp: '', size: 10 })
  ground.check()
  manifest.close()
  system.identities.set(name, undefined)
  ground.check()
  const next = guarded.open(`${DB}/MANIFEST-000004`, 'create')
  next.write(new Uint8Array(10), 0, 10, 0)
  system.identities.set(`${DB}/MANIFEST-000004`, { id: 'same', stamp: '', size: 9 })
  expect(() => ground.check()).toThrow('MANIFEST-000004 was written over')
})
