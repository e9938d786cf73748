/** I9: the sums that the collector acts on are held against what was counted entry by entry. */
import { expect, test } from 'vitest'
import { addPointer, noReferences, type ReferenceSum } from '#dist/lib/base/segment-records.js'
import { RecountedReferences, verifyReferences } from '#dist/lib/reports/verify-references.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { makeFlushedStore } from '../../support/store/verified-store.ts'

type Judged = Parameters<typeof verifyReferences>[0]

type Pointer = readonly [offset: number, length: number]

/** Three records, 300 bytes. */
const NAMED: readonly Pointer[] = [
  [128, 100],
  [228, 150],
  [400, 50],
]
const USED: ReferenceSum = noReferences()
for (const [offset, length] of NAMED) addPointer(USED, offset, length)

/** In two parts, as two tables would give them. */
function recount(uses: Readonly<Record<number, readonly Pointer[]>>): RecountedReferences {
  const recounted = new RecountedReferences()
  for (const [segment, pointers] of Object.entries(uses)) {
    const rest = new RecountedReferences()
    pointers.forEach(([offset, length], i) => {
      const part = i === 1 ? rest : recounted
      part.add({ segment: Number(segment), offset, length })
    })
    recounted.addAll(rest)
  }
  return recounted
}

function judge(
  relocations: readonly { number: number; parts: object[] }[],
  sums: Readonly<Record<number, ReferenceSum>>,
  counted: Readonly<Record<number, readonly Pointer[]>>,
): void {
  const version = {
    segments: new Map([1, 2, 8, 9].map((number) => [number, 9])),
    files: new Map(relocations.map((file) => [file.number, { role: 'relocation', ...file }])),
  }
  const references = { of: (number: number) => sums[number] }
  verifyReferences(version as unknown as Judged, references, recount(counted))
}

test('equal sums are fine, of segments that nothing points to as well', () => {
  judge([], { 1: USED }, { 1: NAMED })
  judge([{ number: 9, parts: [{ segment: 1, records: 3, bytes: 300 }] }], { 1: USED }, { 1: NAMED })
})

test.each([
  ['a record too many', { 1: { ...USED, records: 4 } }, { 1: NAMED }],
  ['bytes too few', { 1: { ...USED, bytes: 299 } }, { 1: NAMED }],
  ['as many records, but others', { 1: USED }, { 1: [[129, 100], ...NAMED.slice(1)] }],
  ['a segment that nothing points to', { 1: USED, 2: USED }, { 1: NAMED }],
  ['a segment without a sum', {}, { 1: NAMED }],
  ['a relocation that has gone', { 8: USED }, {}],
] as [string, Record<number, ReferenceSum>, Record<number, readonly Pointer[]>][])(
  '%s is damage of the segment',
  (_, sums, counted) => {
    expect(() => judge([], sums, counted)).toThrow(
      expect.objectContaining({ reason: expect.stringMatching(/^accounting differs /) }),
    )
  },
)

test('a relocation that holds less than is pointed to is damaged', () => {
  const parts = [{ segment: 1, records: 3, bytes: 299 }]
  expect(() => judge([{ number: 9, parts }], { 1: USED }, { 1: NAMED })).toThrow(
    expect.objectContaining({ file: '000009.vlog' }),
  )
})

test('the sums of a relocation under its own number are held against the entries, too', () => {
  const files = [{ number: 9, parts: [] }]
  judge(files, { 9: USED }, { 9: NAMED })
  expect(() => judge(files, { 9: USED }, {})).toThrow(/accounting differs/)
})

test('a store whose sums are wrong is not ok', async () => {
  const store = await makeFlushedStore(new FaultFileSystem())
  const { space } = engineOf(store)
  const { references } = space
  const of = references.of.bind(references)
  references.of = (segment) => {
    const sum = of(segment)
    return sum && { ...sum, fingerprint: sum.fingerprint ^ 1 }
  }
  expect((await store.verify()).damage).toMatchObject([
    { reason: expect.stringMatching(/^accounting/) },
  ])
  references.of = of
  expect((await store.verify()).ok).toBe(true)
  await store.close()
})
