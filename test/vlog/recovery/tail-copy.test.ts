/** The copy of the unproved tail: the same records under the same sequences, in frames that prove their new place. */
import { expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import type { LogPosition } from '#dist/lib/base/log-position.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import type { SegmentWalkResult } from '#dist/vlog/log/segment-walk.js'
import { WHOLE_RECORD_BYTES_MAX } from '#dist/vlog/record-window.js'
import type { LogRecoveryPlan } from '#dist/vlog/recovery/recovery-plan.js'
import { type CopiedTail, copyTail } from '#dist/vlog/recovery/tail-copy.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  bytesOf,
  LOG_DIRECTORY,
  logContext,
  SALT,
  SegmentMaker,
  segmentPath,
  segmentSeed,
  visitSegment,
} from '../../support/parts/log-segments.ts'

const PREDECESSOR: LogPosition = { ordinal: 2, offset: 555 }
const DURABLE: LogPosition = { ordinal: 2, offset: 444 }

function walk(
  fileSystem: FaultFileSystem,
  maker: { number: number; length: number },
): SegmentWalkResult & { records: string[] } {
  const records: string[] = []
  const file = fileSystem.open(segmentPath(maker.number), 'read')
  const { number, length: end } = maker
  const seed = segmentSeed(number)
  const result = visitSegment(
    file,
    { number, seed, end, from: SEGMENT_HEADER_BYTES, firstSequence: undefined, proveValues: true },
    (record) => {
      const { header, keyBytes, keyStart, keyEnd } = record
      const key = Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString()
      // A longer one is proved by its chunks, and not handed out.
      const isHandedOut = header.length <= WHOLE_RECORD_BYTES_MAX
      const value = isHandedOut ? Buffer.from(record.value()).toString('hex', 0, 40) : 'proved'
      records.push(`${header.sequence} ${key} ${header.storedLength} ${value}`)
    },
  )
  file.close()
  return { ...result, records }
}

function makeSource(): {
  fileSystem: FaultFileSystem
  copy: LogRecoveryPlan['copy']
  records: string[]
} {
  const fileSystem = new FaultFileSystem()
  fileSystem.makeDirectory(LOG_DIRECTORY)
  const copy: LogRecoveryPlan['copy'][number][] = []
  const records: string[] = []
  let sequence = 50
  for (const number of [3, 4]) {
    const maker = new SegmentMaker(fileSystem, number, sequence)
    maker.frame([{ key: `kept${number}`, value: bytesOf(9) }])
    maker.frame([{ key: `small${number}`, value: bytesOf(100, number) }])
    maker.frame([])
    maker.frame([
      { key: `large${number}`, value: bytesOf(700_000, number) },
      { key: `empty${number}`, value: bytesOf(0) },
    ])
    sequence = maker.nextSequence
    const source = walk(fileSystem, maker)
    // All frames of 4 follow, so sequences are contiguous in the copy.
    for (const frame of number === 3 ? source.frames.slice(1) : source.frames)
      copy.push({ segment: number, frame })
    records.push(...(number === 3 ? source.records.slice(1) : source.records))
  }
  return { fileSystem, copy, records }
}

function copyAll(fileSystem: FaultFileSystem, copy: LogRecoveryPlan['copy']): CopiedTail {
  const tail = { copy, predecessor: PREDECESSOR, durable: DURABLE, durableEdit: 77 }
  return copyTail(logContext(fileSystem), { number: 9, salt: SALT, ordinal: 6 }, tail)
}

test('holds the same records under the same sequences', () => {
  const { fileSystem, copy, records } = makeSource()
  const copied = copyAll(fileSystem, copy)
  expect(copied).toMatchObject({ number: 9, salt: SALT, ordinal: 6, lastSequence: 57 })
  const found = walk(fileSystem, copied)
  expect(found.damage).toBeUndefined()
  expect(found.records).toEqual(records)
  expect(found.frames.map(({ recordCount }) => recordCount)).toEqual(
    copy.map(({ frame }) => frame.recordCount),
  )
  for (const frame of found.frames)
    expect(frame).toMatchObject({ durable: DURABLE, durableEdit: 77 })
  expect(fileSystem.open(segmentPath(9), 'read').stat().size).toBe(copied.length)
  expect(fileSystem.violations).toEqual([])
})

test('I4: is synced before it is returned', () => {
  const { fileSystem, copy } = makeSource()
  copyAll(fileSystem, copy)
  const last = fileSystem.log.filter(({ kind }) => kind !== 'mark').at(-1)
  expect(last).toMatchObject({ kind: 'syncEnd', failed: false })
})

test.each(['create', 'read', 'write', 'sync'] as const)(
  'closes its files when a %s fails',
  (kind) => {
    const { fileSystem, copy } = makeSource()
    const before = fileSystem.openFiles
    fileSystem.faults = (call) => (call.kind === kind ? { errno: 'EIO' } : undefined)
    expect(() => copyAll(fileSystem, copy)).toThrow(IoError)
    expect(fileSystem.openFiles).toBe(before)
  },
)
