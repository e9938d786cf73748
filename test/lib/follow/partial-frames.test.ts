/** A frame that a follower has in part, since an edit was not there yet, shows nothing, and takes nothing away. */
import { expect, test } from 'vitest'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { HistoryFileSystem } from '../../support/files/history-file-system.ts'
import { openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'
import { stopTimers } from '../../support/store/idle.ts'
import { beforeNextStream } from '../../support/store/upload-order.ts'

test('I2: a range that is deleted once more stays deleted meanwhile', async () => {
  stopTimers()
  const disk = new FaultFileSystem()
  const options = { streamThreshold: 2000, collector: { enabled: false } }
  const writer = await openSmallStore(options, disk)
  await writer.put('a', 'deleted')
  await writer.deleteRange({ gte: 'a', lt: 'c' })
  await writer.put('d', '1')
  const before = disk.visibleImage()
  beforeNextStream(writer, () => {
    void writer.put('d', '2')
    void writer.deleteRange({ gte: 'a', lt: 'c' })
  })
  await writer.putStream('stream', new Blob(['stream '.repeat(1000)]))
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
