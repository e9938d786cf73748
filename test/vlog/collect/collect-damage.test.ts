/** What stops the jobs of the collector, and what they leave behind: nothing. I8, I4, I5. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import { type FrameHeader, readFrameHeader, writeFrameHeader } from '#dist/lib/base/files/frame.js'
import { noHoles } from '#dist/vlog/collect/hole-marks.js'
import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  writeSegmentHeader,
} from '#dist/vlog/log/segment-header.js'
import { RelocationWriter } from '#dist/vlog/relocation/relocation-writer.js'
import { VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import { BLOCK_BYTES } from '../../support/files/content.ts'
import { segmentSeed } from '../../support/parts/log-segments.ts'
import {
  corruptionOf,
  countOpen,
  entryOf,
  type LoggedRecord,
  PLACE,
  putOf,
  relocationFile,
  VictimFixture,
  type VictimSubject,
  victimSubject,
} from '../../support/parts/victim-fixture.ts'
import { runSlices } from '../../support/run-slices.ts'

/** a: lives; b: dead, spans blocks; c: lives, large; d: dead. */
interface Subject extends VictimSubject {
  readonly output: number
}

function makeSubject(): Subject {
  const subject = victimSubject(
    [
      [putOf('a', 500), putOf('b', 5 * BLOCK_BYTES)],
      [putOf('c', 20 * VALUE_CHUNK_BYTES + 7), putOf('d', 10)],
    ],
    [0, 2],
  )
  return { ...subject, output: subject.fixture.nextNumber() }
}

function hasOutput({ fixture, output }: Subject): boolean {
  return fixture.fileSystem.files.has(fixture.path(output))
}

function rewrite({ fixture, file, tables, output }: Subject): Generator<unknown> {
  return fixture.rewriteSlices([file], tables, output)
}

function mark({ fixture, file, tables }: Subject): Generator<number, unknown> {
  return fixture.markSlices([file], tables)
}

describe('damage stops a job, names its place, and leaves no file', () => {
  test('in the head of a record, even of a dead one', () => {
    for (const index of [0, 1, 2, 3]) {
      for (const at of [0, 9, 13, 17, 25, 40]) {
        const subject = makeSubject()
        subject.fixture.damage(subject.file, subject.records[index]!.offset + at)
        for (const job of [mark, rewrite]) {
          const { file, offset } = corruptionOf(() => runSlices(job(subject)))
          expect(file).toBe(segmentName(subject.file.number))
          expect(offset).toBe(subject.records[index]!.offset)
        }
        expect(hasOutput(subject)).toBe(false)
      }
    }
  })

  test('in the value of a live record: any chunk of it', () => {
    for (const index of [0, 2]) {
      const { offset, length, value } = makeSubject().records[index]!
      const start = offset + length - value.length
      for (let at = start; at < offset + length; at += VALUE_CHUNK_BYTES) {
        const subject = makeSubject()
        subject.fixture.damage(subject.file, at)
        // The mark reads no values.
        runSlices(mark(subject))
        const error = corruptionOf(() => runSlices(rewrite(subject)))
        expect(error).toMatchObject({ file: segmentName(subject.file.number), offset })
        expect(error.reason).toMatch(/value.* checksum mismatch/)
        expect(hasOutput(subject)).toBe(false)
      }
    }
  })

  test('but not in the value of a dead one: it may be a hole', () => {
    const subject = makeSubject()
    const { offset, length } = subject.records[1]!
    subject.fixture.damage(subject.file, offset + length - 1)
    runSlices(mark(subject))
    runSlices(rewrite(subject))
    expect(hasOutput(subject)).toBe(true)
  })

  test('a frame that is missing, cut off or out of its chain', () => {
    const subject = makeSubject()
    const second = subject.records[2]!.offset - 64
    for (const at of [second + 1, second + 9, second + 24, second + 33]) {
      const damaged = makeSubject()
      damaged.fixture.damage(damaged.file, at)
      const { offset } = corruptionOf(() => runSlices(mark(damaged)))
      expect(offset).toBe(second)
    }
    const { fixture, file, tables } = subject
    const short = { ...file, length: file.length - 1 }
    expect(corruptionOf(() => runSlices(fixture.markSlices([short], tables))).offset).toBe(second)
    const long = { ...file, length: file.length + 10 }
    expect(corruptionOf(() => runSlices(fixture.markSlices([long], tables))).reason).toMatch(
      /ends before|frame/,
    )
  })

  test('frames that prove themselves, and say other than their records or neighbours', () => {
    const wrongs: [string, Partial<FrameHeader>, boolean][] = [
      ['records do not end with their frame', { recordCount: 1 }, false],
      ['frame ends before its records do', { recordCount: 3 }, false],
      ['sequence of frame does not go on from the one before', { firstSequence: 7 }, false],
      ['record has another sequence', { firstSequence: 7 }, true],
    ]
    for (const [reason, wrong, moveSegment] of wrongs) {
      const { fixture, file, tables } = makeSubject()
      const path = fixture.path(file.number)
      const bytes = fixture.fileSystem.contents(path)
      const seed = segmentSeed(file.number)
      const frame = readFrameHeader(bytes, SEGMENT_HEADER_BYTES, seed, SEGMENT_HEADER_BYTES)!
      writeFrameHeader(bytes, SEGMENT_HEADER_BYTES, seed, { ...frame, ...wrong })
      if (moveSegment) {
        const header = readSegmentHeader(bytes, file.number, PLACE.databaseId)
        writeSegmentHeader(bytes, 0, { ...header, firstSequence: 7 })
      }
      fixture.fileSystem.replace(path, bytes)
      expect(corruptionOf(() => runSlices(fixture.markSlices([file], tables))).reason).toBe(reason)
    }
  })

  test('an index that does not fit the records of a relocation', () => {
    const { fixture, file, records } = makeSubject()
    const [a, b] = records
    const bytes = fixture.fileSystem.contents(fixture.path(file.number))
    const cuts = [
      [a!.offset, b!.offset + b!.length],
      [a!.offset, a!.offset + 100, b!.offset],
      [a!.offset, a!.offset + 100, b!.offset + b!.length],
    ]
    for (const [first, ...ends] of cuts) {
      const number = fixture.nextNumber()
      const output = fixture.fileSystem.open(fixture.path(number), 'create')
      const identity = {
        kind: 'relocation' as const,
        databaseId: PLACE.databaseId,
        number,
        salt: 1,
      }
      const writer = new RelocationWriter(output, identity)
      let from = first!
      for (const end of ends) {
        writer.begin(file.number, from)
        writer.write(bytes, from, end)
        from = end
      }
      const relocation = relocationFile(runSlices(writer.finishSlices()))
      const error = corruptionOf(() => runSlices(fixture.markSlices([relocation], [])))
      expect(error.file).toBe(segmentName(number))
      expect(error.reason).toBe('index of a relocation does not fit its records')
    }
  })

  test('another file than the version means', () => {
    const { fixture, file, tables, output } = makeSubject()
    const other = { ...file, salt: file.salt ^ 1 }
    expect(corruptionOf(() => runSlices(fixture.markSlices([other], tables))).offset).toBe(56)
    expect(
      corruptionOf(() => runSlices(fixture.rewriteSlices([other], tables, output))).offset,
    ).toBe(56)
    const holes = Float64Array.of(BLOCK_BYTES, 2 * BLOCK_BYTES)
    expect(corruptionOf(() => runSlices(fixture.punchHoles(other, holes))).offset).toBe(56)
  })
})

describe('I8: a pointer leads to a record of its key and sequence, or the job stops', () => {
  const wrongs: Record<
    string,
    (record: LoggedRecord, other: LoggedRecord) => Partial<LoggedRecord>
  > = {
    offset: ({ offset }) => ({ offset: offset + 1 }),
    'place of another record': (_, { offset }) => ({ offset }),
    length: ({ length }) => ({ length: length - 1 }),
    sequence: ({ sequence }) => ({ sequence: sequence + 100 }),
    key: () => ({ key: Buffer.from('aa') }),
    'key behind all': () => ({ key: Buffer.from('zz') }),
    'key before all': () => ({ key: Buffer.from('') }),
  }
  for (const [what, wrong] of Object.entries(wrongs)) {
    test(`wrong ${what}`, () => {
      const { fixture, file, records, output } = makeSubject()
      const [a, , c] = records
      const pointer = { ...a!, ...wrong(a!, c!) }
      const table = fixture.table([pointer, c!].map(entryOf))
      const jobs = [
        () => runSlices(fixture.markSlices([file], [table.meta])),
        () => runSlices(fixture.rewriteSlices([file], [table.meta], output)),
      ]
      for (const job of jobs) {
        const error = corruptionOf(job)
        expect(error).toMatchObject({ file: segmentName(file.number), offset: pointer.offset })
        expect(error.reason).toContain('no record of its key and sequence')
      }
      expect(fixture.fileSystem.files.has(fixture.path(output))).toBe(false)
    })
  }

  test('a pointer to a delete, and one into an empty segment', () => {
    const fixture = new VictimFixture()
    const file = fixture.segment([[{ ...putOf('k', 0), kind: 'delete' }]])
    const table = fixture.table([entryOf({ ...fixture.records[0]!, kind: 'put' })])
    corruptionOf(() => runSlices(fixture.markSlices([file], [table.meta])))
    const empty = fixture.segment([[]])
    const stray = fixture.table([
      entryOf({ ...fixture.records[0]!, kind: 'put', segment: empty.number }),
    ])
    corruptionOf(() => runSlices(fixture.markSlices([empty], [stray.meta])))
  })
})

describe('a rewrite that does not end', () => {
  test('leaves no file, and none open, whichever step it is ended at', () => {
    let steps = 0
    for (;;) {
      const subject = makeSubject()
      const open = countOpen(subject.fixture.fileSystem)
      const job = rewrite(subject)
      let done = false
      for (let i = 0; i <= steps && !done; i++) done = job.next().done === true
      if (!done) job.return(undefined)
      expect(open(), `after step ${steps}`).toBe(0)
      if (done) break
      expect(hasOutput(subject), `after step ${steps}`).toBe(false)
      steps++
    }
    expect(steps).toBeGreaterThan(10)
  })

  test('leaves its file after a failed sync only', () => {
    const subject = makeSubject()
    const { fileSystem } = subject.fixture
    const open = fileSystem.open.bind(fileSystem)
    let failing: 'sync' | 'write' = 'sync'
    fileSystem.open = (path, mode) => {
      const file = open(path, mode)
      if (mode === 'create') {
        file[failing] = () => {
          throw new IoError(failing, path, 'EIO')
        }
      }
      return file
    }
    expect(() => runSlices(rewrite(subject))).toThrow(
      expect.objectContaining({ code: 'WISC_SYNC_FAILED' }),
    )
    expect(hasOutput(subject)).toBe(true)
    failing = 'write'
    const other = { ...subject, output: subject.fixture.nextNumber() }
    expect(() => runSlices(rewrite(other))).toThrow(expect.objectContaining({ code: 'WISC_IO' }))
    expect(hasOutput(other)).toBe(false)
  })

  test('writes no file if nothing lives, and never over one that is there', () => {
    const { fixture, file, output } = makeSubject()
    const { relocation, bytesWritten } = runSlices(fixture.rewriteSlices([file], [], output))
    expect({ relocation, bytesWritten }).toEqual({ relocation: undefined, bytesWritten: 0 })
    expect(fixture.fileSystem.files.has(fixture.path(output))).toBe(false)
    const subject = makeSubject()
    const before = subject.fixture.fileSystem.contents(subject.fixture.path(subject.file.number))
    const job = rewrite({ ...subject, output: subject.file.number })
    expect(() => runSlices(job)).toThrow(expect.objectContaining({ errno: 'EEXIST' }))
    expect(
      Buffer.compare(
        subject.fixture.fileSystem.contents(subject.fixture.path(subject.file.number)),
        before,
      ),
    ).toBe(0)
  })
})

describe('a punch', () => {
  test('frees the blocks of dead values; every record can still be walked and read', () => {
    const { fixture, file, records, tables, output } = makeSubject()
    const { holes, holeBytes } = runSlices(fixture.markSlices([file], tables)).files[0]!
    expect(holeBytes).toBe(4 * BLOCK_BYTES)
    expect(runSlices(fixture.punchHoles(file, holes))).toEqual({
      supported: true,
      hasOtherNames: false,
      bytesFreed: holeBytes,
      holesMade: holes.length / 2,
      holeMs: expect.any(Number),
      isWhole: true,
      known: expect.any(Uint8Array),
    })
    // Those of earlier times take no time: they do not count.
    const again = { bytesFreed: 0, holesMade: 0, holeMs: 0, isWhole: true }
    expect(runSlices(fixture.punchHoles(file, holes))).toMatchObject(again)
    const bytes = fixture.fileSystem.contents(fixture.path(file.number))
    expect(bytes.subarray(holes[0]!, holes[1]!).every((byte) => byte === 0)).toBe(true)
    expect(bytes[holes[0]! - 1]).not.toBe(0)
    expect(bytes[holes[1]!]).not.toBe(0)
    expect(holes[0]).toBeGreaterThanOrEqual(records[1]!.offset)
    expect(
      runSlices(fixture.rewriteSlices([file], tables, output)).relocation?.parts,
    ).toMatchObject([{ records: 2 }])
  })

  test('makes no more holes than it may, and goes on with the others when it is made again', () => {
    const { fixture, file, tables } = makeSubject()
    const [from, to] = runSlices(fixture.markSlices([file], tables)).files[0]!.holes
    const middle = (from! + to!) / 2
    const holes = Float64Array.of(from!, middle, middle, to!)
    const half = middle - from!
    expect(half % BLOCK_BYTES).toBe(0)
    const punchOne = () => runSlices(fixture.punchHoles(file, holes, 1))
    expect(punchOne()).toMatchObject({ isWhole: false, holesMade: 1, bytesFreed: half })
    expect(punchOne()).toMatchObject({ isWhole: true, holesMade: 1, bytesFreed: half })
  })

  test('says what the hole in the middle of those that were made took, not what one took that waited', () => {
    const { fixture, file, tables } = makeSubject()
    const [from, to] = runSlices(fixture.markSlices([file], tables)).files[0]!.holes
    const starts = Array.from({ length: 4 }, (_, i) => from! + i * BLOCK_BYTES)
    expect(starts.at(-1)! + BLOCK_BYTES).toBe(to)
    const holesAt = (...chosen: readonly number[]) =>
      Float64Array.from(chosen.flatMap((i) => [starts[i]!, starts[i]! + BLOCK_BYTES]))
    const opened = fixture.fileSystem.files.get(fixture.path(file.number))!
    const punch = opened.punch.bind(opened)
    // A clock of its own: a hole takes what its place says, one that is there already nothing.
    const took = [3, 500, 4, 3]
    let ms = 0
    onTestFinished(() => void vi.restoreAllMocks())
    vi.spyOn(performance, 'now').mockImplementation(() => ms)
    vi.spyOn(opened, 'punch').mockImplementation((offset, length) => {
      const before = opened.stat().allocated
      const isMade = punch(offset, length)
      if (opened.stat().allocated < before) ms += took[starts.indexOf(offset)]!
      return isMade
    })
    expect(runSlices(fixture.punchHoles(file, holesAt(0, 1)))).toMatchObject({
      holesMade: 2,
      holeMs: 6,
    })
    expect(runSlices(fixture.punchHoles(file, holesAt(0, 1, 2, 3)))).toMatchObject({
      holesMade: 2,
      holeMs: 6,
    })
  })

  test('makes no hole that is known to be there', () => {
    const { fixture, file, tables } = makeSubject()
    const [from, to] = runSlices(fixture.markSlices([file], tables)).files[0]!.holes
    const first = from! + BLOCK_BYTES
    const punch = vi.spyOn(fixture.fileSystem.files.get(fixture.path(file.number))!, 'punch')
    const { known } = runSlices(fixture.punchHoles(file, Float64Array.of(first, to!)))
    const all = Float64Array.of(from!, first, first, to!)
    const again = runSlices(fixture.punchHoles(file, all, Infinity, known))
    expect(again).toMatchObject({ isWhole: true, holesMade: 1, bytesFreed: BLOCK_BYTES })
    expect(punch.mock.calls.map(([offset]) => offset)).toEqual([first, from])
    expect(runSlices(fixture.punchHoles(file, all, Infinity, again.known)).isWhole).toBe(true)
    expect(punch).toHaveBeenCalledTimes(2)
  })

  test('leaves a file alone that has another name, or whose file system has no holes', () => {
    for (const refuse of ['links', 'holes'] as const) {
      const { fixture, file, tables } = makeSubject()
      const { holes } = runSlices(fixture.markSlices([file], tables)).files[0]!
      const opened = fixture.fileSystem.files.get(fixture.path(file.number))!
      if (refuse === 'links') opened.links = 2
      else opened.hasHoles = false
      const before = fixture.fileSystem.contents(fixture.path(file.number))
      expect(runSlices(fixture.punchHoles(file, holes))).toEqual({
        supported: refuse === 'links',
        hasOtherNames: refuse === 'links',
        bytesFreed: 0,
        holesMade: 0,
        holeMs: 0,
        isWhole: false,
        known: noHoles(file.length),
      })
      expect(Buffer.compare(fixture.fileSystem.contents(fixture.path(file.number)), before)).toBe(0)
    }
  })
})
