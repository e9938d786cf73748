/** What lives by a list of what died: only heads of what lives are read, and a list that is wrong is found out. I8. */
import { describe, expect, test } from 'vitest'
import type { SegmentDead } from '#dist/lib/base/dead-records.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import { collectUnlisted, isListComplete } from '#dist/vlog/collect/unlisted-records.js'
import type { VictimFile } from '#dist/vlog/collect/victim.js'
import { emptyVictimRecord } from '#dist/vlog/collect/victim-page.js'
import { RelocationReader } from '#dist/vlog/relocation/relocation-reader.js'
import { DATABASE_ID } from '../../support/parts/log-segments.ts'
import {
  deadLists,
  entryOf,
  type LoggedRecord,
  PLACE,
  putOf,
  relocationFile,
  VictimFixture,
} from '../../support/parts/victim-fixture.ts'
import { runSlices } from '../../support/run-slices.ts'

interface Subject {
  readonly fixture: VictimFixture
  readonly files: readonly VictimFile[]
  readonly live: readonly LoggedRecord[]
  readonly dead: readonly LoggedRecord[]
  readonly tables: readonly TableMeta[]
}

/** Two segments of which two records in three live, all as long as each other. */
function makeSubject(): Subject {
  const fixture = new VictimFixture()
  const writes = Array.from({ length: 60 }, (_, i) => putOf(`k${i + 10}`, 9000))
  const files = [writes.slice(0, 30), writes.slice(30)].map((half) =>
    fixture.segment([half.slice(0, 11), half.slice(11)]),
  )
  const live = fixture.records.filter((_, i) => i % 3 !== 1)
  const dead = fixture.records.filter((_, i) => i % 3 === 1)
  return { fixture, files, live, dead, tables: [fixture.table(live.map(entryOf)).meta] }
}

/** The names of the records that live, in key order; none if the list does not say it. */
function collect(
  { fixture, files, tables }: Omit<Subject, 'live' | 'dead'>,
  dead: readonly SegmentDead[],
): { names?: string[]; isWrong: boolean } {
  const input = { ...PLACE, files, dead, references: fixture.references(files, tables) }
  const { records, isWrong } = runSlices(collectUnlisted(input, fixture))
  if (records === undefined) return { isWrong }
  const record = emptyVictimRecord()
  const names = Array.from({ length: records.count }, (_, position) => {
    records.loadAt(position, record)
    return record.isLive ? `${record.segment}:${record.offset}` : 'dead'
  })
  return { names, isWrong }
}

function namesOf(records: readonly LoggedRecord[]): string[] {
  return records.map(({ segment, offset }) => `${segment}:${offset}`)
}

describe('a list of all that died', () => {
  test('leaves what lives, in segments and in a relocation, and dead ones are never looked at', () => {
    const subject = makeSubject()
    const { fixture, files, live, dead, tables } = subject
    fixture.damage({ number: dead[0]!.segment }, dead[0]!.offset)
    const lists = deadLists(dead)
    const input = { ...PLACE, files, dead: lists, references: fixture.references(files, tables) }
    expect(isListComplete(input)).toBe(true)
    expect(isListComplete({ ...input, dead: lists.slice(1) })).toBe(false)
    expect(collect(subject, lists).names).toEqual(namesOf(live))

    const number = fixture.nextNumber()
    const { relocation } = runSlices(fixture.rewriteSlices(files, tables, number, 'list', lists))
    const moved = [relocationFile(relocation!)]
    const kept = live.filter((_, i) => i % 4 !== 0)
    const later = [fixture.table(kept.map(entryOf)).meta]
    const died = deadLists(live.filter((_, i) => i % 4 === 0))
    expect(collect({ fixture, files: moved, tables: later }, died).names).toEqual(namesOf(kept))
  })

  test('finds what tables name by its place in a relocation under that name, part by part', () => {
    const { fixture, files, live, tables } = makeSubject()
    const number = fixture.nextNumber()
    const { relocation } = runSlices(fixture.rewriteSlices(files, tables, number))
    const moved = relocationFile(relocation!)
    const reader = RelocationReader.open(fixture.fileSystem, fixture.path(number), 'relocation', {
      ...moved,
      databaseId: DATABASE_ID,
    })
    const { places } = reader.addresses()
    reader.close()
    const byPlace = live.map((record, i) => ({ ...record, segment: number, offset: places[i]! }))
    const [first] = files
    const folded = live.map((record, i) =>
      record.segment === first!.number ? byPlace[i]! : record,
    )
    const collected = (names: readonly LoggedRecord[]): string[] | undefined =>
      collect({ fixture, files: [moved], tables: [fixture.table(names.map(entryOf)).meta] }, [])
        .names
    expect(collected(folded)).toEqual(namesOf(folded))
    expect(collected(byPlace)).toEqual(namesOf(byPlace))
    // Nobody can tell which record of a part has which name.
    expect(collected([byPlace[0]!, ...live.slice(1)])).toBeUndefined()
    // A record that died under its new name.
    const [gone, ...rest] = byPlace
    const table = fixture.table(rest.map(entryOf)).meta
    const names = collect({ fixture, files: [moved], tables: [table] }, deadLists([gone!])).names
    expect(names).toEqual(namesOf(rest))
  })
})

describe('a list that does not say what lives is found out', () => {
  const subject = makeSubject()
  const { live, dead } = subject
  const [first] = dead
  /** `isWrong`: it is sure that the list names what lives. */
  const lists: [string, { listed: LoggedRecord[]; isWrong: boolean }][] = [
    ['one is missing', { listed: dead.slice(1), isWrong: false }],
    ['one lives', { listed: [...dead, live[7]!], isWrong: true }],
    // Each is as long as the next one: records and bytes are as many as they should be.
    ['one lives, and one is missing', { listed: [live[0]!, ...dead.slice(1)], isWrong: true }],
    [
      'two live, and two of both sides of them are missing',
      { listed: [live[1]!, live[2]!, ...dead.slice(2)], isWrong: true },
    ],
    ['all that live instead', { listed: live.filter((_, i) => i % 2 === 0), isWrong: true }],
    [
      'one lives, and the length is wrong',
      { listed: [...dead, { ...live[7]!, length: 9000 }], isWrong: false },
    ],
    [
      'a length is too short',
      { listed: [{ ...first!, length: 100 }, ...dead.slice(1)], isWrong: false },
    ],
    [
      'a length is too long',
      { listed: [{ ...first!, length: 30_000 }, ...dead.slice(1)], isWrong: false },
    ],
    [
      'the last one is longer than the file',
      { listed: [...dead.slice(0, -1), { ...dead.at(-1)!, length: 1e9 }], isWrong: false },
    ],
  ]
  test.each(lists)('%s', (_, { listed, isWrong }) => {
    expect(collect(subject, deadLists(listed))).toEqual({ isWrong })
  })

  test.each(lists)('%s: the rewrite goes by the tables', (_, { listed, isWrong }) => {
    const { fixture, files, tables } = makeSubject()
    const number = fixture.nextNumber()
    const dead = deadLists(listed)
    const result = runSlices(fixture.rewriteSlices(files, tables, number, 'list', dead))
    expect(result.relocation!.parts.map(({ records }) => records)).toEqual([20, 20])
    expect(result.hadWrongList).toBe(isWrong)
    const moved = [relocationFile(result.relocation!)]
    expect(collect({ fixture, files: moved, tables }, [])).toMatchObject({ names: namesOf(live) })
  })

  test('records of one length stand for no others of the segment, however many', () => {
    // By the sums of offsets alone, two pairs around one middle could not be told from each other.
    const [a, b, c, d] = [live[0]!, dead[0]!, live[1]!, live[2]!]
    expect(a.offset + d.offset).toBe(b.offset + c.offset)
    const tables = [subject.fixture.table([a, d].map(entryOf)).meta]
    const others = [...live, ...dead].filter((record) => record !== b && record !== c)
    expect(collect({ ...subject, tables }, deadLists(others))).toEqual({ isWrong: true })
  })
})
