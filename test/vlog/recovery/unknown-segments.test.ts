/**
 * F-V19: what a later version has written into the header or the chain of a segment is refused wherever that segment
 * lies: behind the end of the log, where everything else is a torn tail, and where no edit names it.
 */
import { expect, test } from 'vitest'
import { writeU32 } from '#dist/lib/base/bytes.js'
import { crc32From } from '#dist/lib/base/checksum.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { durableEditOfStrays } from '#dist/vlog/recovery/stray-segments.js'
import { surveyLog } from '#dist/vlog/recovery/survey.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  bytesOf,
  LOG_DIRECTORY,
  logContext,
  SALT,
  SegmentMaker,
  segmentPath,
} from '../../support/parts/log-segments.ts'

const NAME = '000004.vlog'

/** An open segment 3 with a frame that is torn, and 4 with a byte set, under right checksums, and cut off. */
function survey(
  at: number,
  value: number,
  cutAt?: number,
): { log: () => unknown; strays: () => unknown } {
  const made = new FaultFileSystem()
  made.makeDirectory(LOG_DIRECTORY)
  const three = new SegmentMaker(made, 3, 1)
  three.frame([{ key: 'a', value: bytesOf(30) }], LOG_START, 1)
  const four = new SegmentMaker(made, 4, three.nextSequence, three.end)
  four.frame([{ key: 'b', value: bytesOf(30) }], LOG_START, 1)
  const known = [three, four].map((maker) => maker.known(false))
  const { directories, files } = made.visibleImage()
  const torn = files.get(segmentPath(3))!.slice()
  torn[three.frames[0]!.offset + 70]! ^= 8
  const changed = files.get(segmentPath(4))!.slice(0, cutAt)
  changed[at] = value
  const { databaseId } = logContext(made)
  const seed = frameSeed({ kind: 'segment', number: 4, salt: SALT, databaseId })
  if (changed.length > 96) {
    writeU32(changed, 60, crc32From(0, changed.subarray(0, 60)))
    writeU32(changed, 92, crc32From(seed, changed.subarray(64, 92)))
  }
  const image = {
    directories,
    files: new Map([...files, [segmentPath(3), torn], [segmentPath(4), changed]]),
  }
  const context = logContext(new FaultFileSystem({}, image))
  return {
    log: () => surveyLog(context, known, LOG_START, LOG_START),
    strays: () => durableEditOfStrays(context, [NAME]),
  }
}

test.each([
  ['another kind of files', 10, 255],
  ['a cipher', 11, 1],
  ['a refuse bit of the file header', 14, 1],
  ['a refuse bit of the chain', 90, 1],
])('%s is no torn tail and no orphan', (_what, at, value) => {
  const { log, strays } = survey(at, value)
  const expected = expect.objectContaining({
    code: 'WISC_FORMAT_VERSION',
    message: expect.stringContaining(`file=${NAME} offset=${at}`),
  })
  expect(log).toThrow(expected)
  expect(strays).toThrow(expected)
})

test('flags that nothing proves, ignored ones and a header that is cut off are a torn tail as ever', () => {
  const expected = { end: { ordinal: 3, offset: 96 }, open: [{ number: 3 }, { number: 4 }] }
  for (const [at, value, cutAt] of [
    [88, 1, undefined],
    [12, 1, undefined],
    [90, 1, 95],
    [14, 1, 63],
    [14, 1, 96],
  ] as const) {
    const { log, strays } = survey(at, value, cutAt)
    expect(log(), `at=${at} cut=${cutAt}`).toMatchObject(expected)
    expect(strays()).toBe(cutAt === undefined ? 1 : 0)
  }
})
