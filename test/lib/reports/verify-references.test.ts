/** I9: the sums that the collector acts on are held against what was counted entry by entry. */
import { expect, test } from 'vitest'
import type { RecordSum } from '#dist/lib/base/segment-records.js'
import { RecountedReferences, verifyReferences } from '#dist/lib/reports/verify-references.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { makeFlushedStore } from '../../support/store/verified-store.ts'

type Judged = Parameters<typeof verifyReferences>[0]

function recount(uses: Readonly<Record<number, RecordSum>>): RecountedReferences {
  const recounted = new RecountedReferences()
  // In two parts, as two tables would give them.
  for (const [segment, { records, bytes }] of Object.entries(uses)) {
    recounted.add(Number(segment), records - 1, bytes - 10)
    const rest = new RecountedReferences()
    rest.add(Number(segment), 1, 10)
    recounted.addAll(rest)
  }
  return recounted
}

function judge(
  relocations: readonly { number: number; parts: object[] }[],
  sums: Readonly<Record<number, RecordSum>>,
  counted: Readonly<Record<number, RecordSum>>,
): void {
  const version = {
    segments: new Map([1, 2, 8, 9].map((number) => [number, 9])),
    files: new Map(relocations.map((file) => [file.number, { role: 'relocation', ...file }])),
  }
  const references = { of: (number: number) => sums[number] }
  verifyReferences(version as unknown as Judged, references, recount(counted))
}

const USED = { records: 3, bytes: 300 }

test('equal sums are fine, of segments that nothing points to as well', () => {
  judge([], { 1: USED }, { 1: USED })
  judge([{ number: 9, parts: [{ segment: 1, records: 3, bytes: 300 }] }], { 1: USED }, { 1: USED })
})

test.each([
  ['a record too many', { 1: { ...USED, records: 4 } }, { 1: USED }],
  ['bytes too few', { 1: { ...USED, bytes: 299 } }, { 1: USED }],
  ['a segment that nothing points to', { 1: USED, 2: USED }, { 1: USED }],
  ['a segment without a sum', {}, { 1: USED }],
  ['a relocation that has gone', { 8: USED }, {}],
])('%s is damage of the segment', (_, sums, counted) => {
  expect(() => judge([], sums, counted)).toThrow(
    expect.objectContaining({ reason: expect.stringMatching(/^accounting differs /) }),
  )
})

test('a relocation that holds less than is pointed to is damaged', () => {
  const parts = [{ segment: 1, records: 3, bytes: 299 }]
  expect(() => judge([{ number: 9, parts }], { 1: USED }, { 1: USED })).toThrow(
    expect.objectContaining({ file: '000009.vlog' }),
  )
})

test('the sums of a relocation under its own number are held against the entries, too', () => {
  const files = [{ number: 9, parts: [] }]
  judge(files, { 9: USED }, { 9: USED })
  expect(() => judge(files, { 9: USED }, {})).toThrow(/accounting differs/)
})

test('a store whose sums are wrong is not ok', async () => {
  const store = await makeFlushedStore(new FaultFileSystem())
  const { space } = engineOf(store)
  const { references } = space
  const of = references.of.bind(references)
  references.of = (segment) => ({ records: (of(segment)?.records ?? 0) + 1, bytes: 0 })
  expect((await store.verify()).damage).toMatchObject([
    { reason: expect.stringMatching(/^accounting/) },
  ])
  references.of = of
  expect((await store.verify()).ok).toBe(true)
  await store.close()
})
