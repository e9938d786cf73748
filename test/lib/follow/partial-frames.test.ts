/** A frame that a follower has in part, since an edit was not there yet, shows nothing, and takes nothing away. */
import { expect, test } from 'vitest'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { HistoryFileSystem } from '../../support/files/history-file-system.ts'
import { openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'
import { stopTimers } from '../../support/store/idle.ts'

/** Uploads a stream whose record comes into one group behind what `before` writes. */
async function putStreamBehind(store: Store, key: string, before: () => void): Promise<void> {
  const { commit } = engineOf(store) as unknown as { commit: { submitStream: unknown } }
  const submitStream = commit.submitStream as (...asked: unknown[]) => Promise<void>
  commit.submitStream = (...asked: unknown[]) => {
    before()
    return submitStream.apply(commit, asked)
  }
  await store.putStream(key, new Blob(['stream '.repeat(1000)]))
  commit.submitStream = submitStream
}

test('I2: a range that is deleted once more stays deleted meanwhile', async () => {
  stopTimers()
  const disk = new FaultFileSystem()
  const options = { streamThreshold: 2000, collector: { enabled: false } }
  const writer = await openSmallStore(options, disk)
  await writer.put('a', 'deleted')
  await writer.deleteRange({ gte: 'a', lt: 'c' })
  await writer.put('d', '1')
  const before = disk.visibleImage()
  await putStreamBehind(writer, 'stream', () => {
    void writer.put('d', '2')
    void writer.deleteRange({ gte: 'a', lt: 'c' })
  })
  // The manifest is read before the upload, the log behind it.
  let isBehind = false
  let isFollowing = false
  class Beside extends HistoryFileSystem {
    override statPath(path: string): ReturnType<HistoryFileSystem['statPath']> {
      isBehind ||= isFollowing && path.endsWith('.vlog')
      return super.statPath(path)
    }
  }
  let at = 0
  const beside = new Beside([before, disk.visibleImage()], () => (isBehind && at === 0 ? ++at : 0))
  const follower = await openStore(
    DIRECTORY,
    { ...SMALL_OPTIONS, readOnly: true, follow: true },
    { fileSystem: beside },
  )
  isFollowing = true
  engineOf(follower).moveOn!(undefined)
  expect(isBehind).toBe(true)
  expect(follower.stats().lastSequence).toBe(3)
  expect(follower.getSync('a')).toBeUndefined()
  expect(String(follower.getSync('d'))).toBe('1')
  expect((await follower.keys().nextMany(9)).map(String)).toEqual(['d'])
  engineOf(follower).moveOn!(undefined)
  expect((await follower.keys().nextMany(9)).map(String)).toEqual(['d', 'stream'])
  expect(String(follower.getSync('d'))).toBe('2')
  await follower.close()
})
