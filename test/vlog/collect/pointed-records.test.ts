/** A rewrite that goes by the pointers of tables: the same bytes as by heads, and what stops it. I8, I4. */
import { describe, expect, test } from 'vitest'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import type { VictimFile } from '#dist/vlog/collect/victim.js'
import { RELOCATION_HEADER_BYTES } from '#dist/vlog/relocation/relocation-format.js'
import { VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import {
  corruptionOf,
  countOpen,
  entryOf,
  type LoggedRecord,
  putOf,
  relocationFile,
  VictimFixture,
  type VictimSubject,
  victimSubject,
} from '../../support/parts/victim-fixture.ts'
import { runSlices } from '../../support/run-slices.ts'

/** a: lives; b: dead; c: lives, more than a batch takes. */
function makeSubject(): VictimSubject {
  const frames = [[putOf('a', 500), putOf('b', 9000)], [putOf('c', 20 * VALUE_CHUNK_BYTES)]]
  return victimSubject(frames, [0, 2])
}

/** The relocation as a victim, and its bytes behind the header, in which salts and numbers differ. */
function rewrite(
  { fixture, tables }: Pick<VictimSubject, 'fixture' | 'tables'>,
  files: readonly VictimFile[],
  by: 'heads' | 'pointers' = 'pointers',
): { moved: VictimFile; records: Uint8Array } {
  const number = fixture.nextNumber()
  const { relocation } = runSlices(fixture.rewriteSlices(files, tables, number, by))
  const sum = relocation!.parts.reduce((bytes, part) => bytes + part.bytes, 0)
  const bytes = fixture.fileSystem.contents(fixture.path(number))
  const records = bytes.subarray(RELOCATION_HEADER_BYTES, RELOCATION_HEADER_BYTES + sum)
  return { moved: relocationFile(relocation!), records }
}

function files({ fixture }: VictimSubject): number {
  return fixture.fileSystem.files.size
}

describe('what lives', () => {
  test('is written as by the heads, from a segment and from relocations, in one and in several tables', () => {
    const fixture = new VictimFixture()
    const writes = Array.from({ length: 3000 }, (_, i) => putOf(`k${(i * 7919) % 3000}`, i % 300))
    const segments = [writes.slice(0, 1000), writes.slice(1000)].map((half) =>
      fixture.segment([half.slice(0, 300), half.slice(300)]),
    )
    const live = fixture.records.filter((_, i) => i % 3 !== 0)
    const halves = [0, 1].map((half) => live.filter((_, i) => i % 2 === half))
    const tables = halves.map((half) => fixture.table(half.map(entryOf)).meta)
    const subject = { fixture, tables }
    const byHeads = rewrite(subject, segments, 'heads')
    const byPointers = rewrite(subject, segments)
    expect(byPointers.records.length).toBeGreaterThan(100_000)
    expect(Buffer.compare(byPointers.records, byHeads.records)).toBe(0)
    const again = rewrite(subject, [byPointers.moved])
    expect(Buffer.compare(again.records, byHeads.records)).toBe(0)
  })

  test('is all that is read: damage in a dead record stops nothing', () => {
    const subject = makeSubject()
    const { records } = rewrite(subject, [subject.file])
    subject.fixture.damage(subject.file, subject.records[1]!.offset)
    expect(Buffer.compare(rewrite(subject, [subject.file]).records, records)).toBe(0)
    // By the heads it does.
    corruptionOf(() => rewrite(subject, [subject.file], 'heads'))
  })

  test('may be nothing: then no file is written', () => {
    const { fixture, file } = makeSubject()
    const steps = fixture.rewriteSlices([file], [], fixture.nextNumber(), 'pointers')
    expect(runSlices(steps)).toMatchObject({ relocation: undefined, bytesWritten: 0 })
  })
})

describe('damage stops the job, names its place, and leaves no file', () => {
  test('in any field of the head of a live record, and in its value', () => {
    for (const index of [0, 2]) {
      const { offset, length, value } = makeSubject().records[index]!
      for (const at of [0, 4, 8, 9, 12, 16, 24, length - value.length - 1, length - 1]) {
        const subject = makeSubject()
        subject.fixture.damage(subject.file, offset + at)
        const before = files(subject)
        const error = corruptionOf(() => rewrite(subject, [subject.file]))
        expect(error, `byte ${at}`).toMatchObject({
          file: segmentName(subject.file.number),
          offset,
        })
        expect(files(subject)).toBe(before)
      }
    }
  })

  test('in the header of the segment, or with another salt', () => {
    const subject = makeSubject()
    const salted = { ...subject.file, salt: subject.file.salt ^ 1 }
    expect(corruptionOf(() => rewrite(subject, [salted])).reason).toContain('salt')
    subject.fixture.damage(subject.file, 20)
    corruptionOf(() => rewrite(subject, [subject.file]))
  })
})

describe('I8: a pointer that leads to no record of its own stops the job', () => {
  const wrongs: Record<string, (own: LoggedRecord, other: LoggedRecord) => Partial<LoggedRecord>> =
    {
      offset: ({ offset }) => ({ offset: offset + 1 }),
      'place of another record': (_, { offset }) => ({ offset }),
      'place behind the end': () => ({ offset: 2 ** 40 }),
      length: ({ length }) => ({ length: length - 1 }),
      'length that is none': () => ({ length: 1 }),
      sequence: ({ sequence }) => ({ sequence: sequence + 100 }),
      key: () => ({ key: Buffer.from('aa') }),
    }
  for (const [what, wrong] of Object.entries(wrongs)) {
    test(`wrong ${what}, in a segment and in a relocation`, () => {
      const { fixture, file, records, tables } = makeSubject()
      const { moved } = rewrite({ fixture, tables }, [file])
      const [a, , c] = records
      const wrongTables = [fixture.table([{ ...a!, ...wrong(a!, c!) }, c!].map(entryOf)).meta]
      for (const victim of [file, moved]) {
        const before = fixture.fileSystem.files.size
        const error = corruptionOf(() => rewrite({ fixture, tables: wrongTables }, [victim]))
        expect(error.file).toBe(segmentName(victim.number))
        expect(fixture.fileSystem.files.size).toBe(before)
      }
    })
  }
})

test('ended at any step it leaves no file, and none open', () => {
  let ended = 0
  for (let isDone = false; !isDone; ended++) {
    const { fixture, file, tables } = makeSubject()
    const { moved } = rewrite({ fixture, tables }, [file])
    const before = fixture.fileSystem.files.size
    const open = countOpen(fixture.fileSystem)
    const steps = fixture.rewriteSlices([moved], tables, fixture.nextNumber(), 'pointers')
    for (let i = 0; i <= ended && !isDone; i++) isDone = steps.next().done === true
    if (!isDone) {
      steps.return(undefined as never)
      expect(fixture.fileSystem.files.size, `step ${ended}`).toBe(before)
    }
    expect(open(), `step ${ended}`).toBe(0)
  }
  expect(ended).toBeGreaterThan(10)
})
