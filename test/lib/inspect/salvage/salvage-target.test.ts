/** What a salvage refuses to count as lost, and the marker of a target that is not complete. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { Salvage } from '#dist/lib/inspect/salvage/salvage.js'
import { SalvageTarget } from '#dist/lib/inspect/salvage/salvage-target.js'
import { RecordingFileSystem } from '../../../support/files/recording-file-system.ts'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { makeInspectedStore } from '../../../support/store/inspected-store.ts'

test.each([
  ['EACCES', /^open .*\.sst/],
  ['EACCES', /^open .*\.vlog/],
  ['EPERM', /^open MANIFEST/],
  ['EMFILE', /^open .*\.sst/],
])('%s at %s is a refusal, not a loss', async (errno, call) => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  const fileSystem = new RecordingFileSystem()
  fileSystem.failNext(call, errno)
  const read = (): void => {
    const found = new Salvage(directory, fileSystem)
    try {
      for (const _bytes of found.readSlices());
    } finally {
      found.close()
    }
  }
  expect(read).toThrow(`errno=${errno}`)
})

test('a value that may not be read is not lost either', async () => {
  const { directory } = await makeInspectedStore({ keys: 20 })
  const fileSystem = new RecordingFileSystem()
  const found = new Salvage(directory, fileSystem)
  for (const _bytes of found.readSlices());
  fileSystem.failNext(/^open .*\.(sst|vlog)/, 'EACCES')
  await expect(found.entries().next()).rejects.toThrow('errno=EACCES')
  expect(found.lost).toEqual([])
  found.close()
})

test('I4: the marker is durable before anything of the store is made, and goes last', async () => {
  const directory = path.join(temporaryDirectory(), 'saved')
  const fileSystem = new RecordingFileSystem()
  const target = await SalvageTarget.create(directory, { workers: 0 }, fileSystem)
  const begun = fileSystem.log.filter((line) => !/^(list|stat)/.test(line))
  const marked = begun.indexOf('create SALVAGE')
  expect(begun.slice(marked, marked + 4)).toEqual([
    'create SALVAGE',
    expect.stringMatching(/^write SALVAGE/),
    expect.stringMatching(/[sS]ync SALVAGE/),
    expect.stringMatching(/^syncDirectory/),
  ])
  expect(begun.findIndex((line) => /MANIFEST|CURRENT|vlog/.test(line))).toBeGreaterThan(marked + 3)
  await target.store.put('key', 'value')
  await expect(open(directory, { readOnly: true })).rejects.toThrow('has not come to its end')
  await target.finish()
  const ended = fileSystem.log.indexOf('unlink SALVAGE')
  expect(fileSystem.log.slice(ended + 1)).toEqual([expect.stringMatching(/^syncDirectory/)])
  const store = await open(directory, { readOnly: true })
  expect((await store.get('key'))?.toString()).toBe('value')
  await store.close()
})

test('what is abandoned stays marked', async () => {
  const directory = path.join(temporaryDirectory(), 'saved')
  const target = await SalvageTarget.create(directory, { workers: 0 })
  await target.store.put('key', 'value')
  await target.abandon()
  await expect(open(directory)).rejects.toMatchObject({ code: 'WISC_NO_STORE' })
})
