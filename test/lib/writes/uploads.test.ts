/** What becomes of the file of an upload whose record may be in the log, although its write has failed. */
import { expect, test } from 'vitest'
import { IoError, WiscError } from '#dist/lib/base/errors.js'
import { EventLoopTurn } from '#dist/lib/base/event-loop-turn.js'
import { systemRandom } from '#dist/lib/base/random.js'
import { pieceSource } from '#dist/lib/contract/stream-source.js'
import { Uploads, type UploadsParts } from '#dist/lib/writes/uploads.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'

const NUMBER = 7

/** An upload of a few bytes, whose record is given to the log before that fails, or never comes there. */
async function failUpload(
  failure: WiscError,
  isWritten: boolean,
): Promise<{ readonly uploads: Uploads; readonly log: { isEnding: boolean } }> {
  const fileSystem = new FaultFileSystem()
  fileSystem.makeDirectory('/db')
  const log = { isEnding: true }
  const commit: Pick<UploadsParts['commit'], 'submitStream'> = {
    submitStream: ({ stream }) => {
      expect(uploads.holds(NUMBER), 'while it may still write its record').toBe(true)
      stream!.mayBeInLog = isWritten
      return Promise.reject(failure)
    },
  }
  const parts = {
    context: {
      fileSystem,
      directory: '/db',
      databaseId: Buffer.alloc(16, 1),
      random: systemRandom,
    },
    turn: new EventLoopTurn(),
    versions: { fileNumbers: { take: () => NUMBER }, apply: async () => ({}), discard: () => {} },
    admission: { askForUpload: () => ({ kind: 'admitted' }), uploaded: () => {} },
    commit,
    log,
    health: { final: undefined, end: () => {} },
    collector: { wake: () => {} },
  } as unknown as UploadsParts
  const uploads = new Uploads(parts, 1, Number.POSITIVE_INFINITY)
  const source = pieceSource(new Blob(['value']))
  const unset = { signal: undefined, size: undefined, condition: undefined }
  const asked = { sync: false, expiresAt: 0, ...unset }
  await expect(uploads.put(Buffer.from('key'), source, asked)).rejects.toBe(failure)
  return { uploads, log }
}

test('I12: a record that may be in the log holds its file until the log ends before it', async () => {
  const { uploads, log } = await failUpload(new IoError('write', '/db/000001.vlog', 'EIO'), true)
  expect(uploads.holds(NUMBER)).toBe(true)
  log.isEnding = false
  expect(uploads.holds(NUMBER)).toBe(false)
  // Another write that fails later is none of its business.
  log.isEnding = true
  expect(uploads.holds(NUMBER)).toBe(false)
})

test('I12: for good, where nothing ends the log before it', async () => {
  const { uploads, log } = await failUpload(new WiscError('WISC_INTERNAL', 'for the test'), true)
  log.isEnding = false
  expect(uploads.holds(NUMBER)).toBe(true)
})

test('a record that never came to the log holds nothing', async () => {
  const { uploads } = await failUpload(new IoError('write', '/db/000001.vlog', 'EIO'), false)
  expect(uploads.holds(NUMBER)).toBe(false)
})
