/** The collector's jobs with their real bodies: each kind finds what it needs in its message. */
import { expect, test } from 'vitest'
import { InlineRunner } from '#dist/lib/jobs/inline-runner.js'
import {
  deadLists,
  entryOf,
  PLACE,
  VictimFixture,
  type Write,
} from '../../support/parts/victim-fixture.ts'

test('mark, rewrite, walk and punch run through a runner and give the results of their kinds', async () => {
  const fixture = new VictimFixture()
  const writes = Array.from({ length: 40 }, (_, i): Write => {
    const key = new TextEncoder().encode(`key${String(i % 20).padStart(2, '0')}`)
    return { kind: 'put', key, value: new Uint8Array(10_000).fill(i) }
  })
  const victim = fixture.segment([writes])
  // The older half of the writes is in no table any more.
  const { meta } = fixture.table(fixture.records.slice(20).map(entryOf))
  const runner = new InlineRunner(fixture.fileSystem)
  const files = [victim]
  const tables = [meta]

  const mark = await runner.run({ kind: 'mark', ...PLACE, files, tables, minimumHoleBytes: 0 })
  const [marked] = mark.files
  expect(marked).toMatchObject({ number: victim.number, records: 40, liveRecords: 20 })
  expect(marked!.holes.length).toBeGreaterThan(0)

  const readable = { readableSequences: [1000], evictedBelow: 0, expiredBy: 0 } as const
  const walk = { kind: 'walk', ...PLACE, runs: [tables], ...readable } as const
  expect((await runner.run(walk)).keys).toBe(20)

  const fileNumber = fixture.nextNumber()
  const references = fixture.references(files, tables)
  const known = { references, dead: deadLists(fixture.records.slice(0, 20)) }
  const rewrite = { kind: 'rewrite', ...PLACE, files, tables, fileNumber, ...known } as const
  const { relocation } = await runner.run(rewrite)
  expect(relocation).toMatchObject({
    number: fileNumber,
    parts: [{ segment: victim.number, records: 20 }],
  })

  const job = {
    kind: 'punch',
    ...PLACE,
    file: victim,
    tables,
    minimumHoleBytes: 0,
    holesMax: Infinity,
    known: undefined,
    heads: undefined,
  } as const
  const { holes, liveBytes } = marked!
  const expected = { supported: true, hasOtherNames: false, holes: holes.length / 2, liveBytes }
  const punched = await runner.run(job)
  expect(punched).toMatchObject(expected)
  const { known: hints, heads } = punched
  expect(await runner.run({ ...job, known: hints, heads })).toMatchObject(expected)
  await runner.close()
})
