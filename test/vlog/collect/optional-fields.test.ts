/** Records with optional fields that this version does not know: a rewrite keeps them, a hole spares them. I8. */
import { expect, test } from 'vitest'
import { BLOCK_BYTES } from '../../support/files/content.ts'
import { addOption } from '../../support/parts/changed-record.ts'
import { putOf, relocationFile, victimSubject } from '../../support/parts/victim-fixture.ts'
import { runSlices } from '../../support/run-slices.ts'

const OPTION = Buffer.from('something of a newer version')

/** a: lives; b: dead, its value begins right in front of a block; c: lives, of many chunks. Each has an option. */
function makeSubject(): ReturnType<typeof victimSubject> & { readonly values: readonly Buffer[] } {
  // File header and chain 96, frame header 64; heads of a and b 41 each.
  const toBlock = BLOCK_BYTES - 5 - (96 + 64 + 2 * 41)
  const frames = [
    [putOf('a', toBlock), putOf('b', 5 * BLOCK_BYTES)],
    [putOf('c', 20 * 65536 + 1000)],
  ]
  const subject = victimSubject(frames, [0, 2])
  const { fixture, file, records } = subject
  const path = fixture.path(file.number)
  const bytes = Buffer.from(fixture.fileSystem.contents(path))
  const values = records.map(({ offset }) => addOption(bytes, offset, 'ignore', OPTION))
  fixture.fileSystem.replace(path, bytes)
  return { ...subject, values }
}

test.each(['heads', 'pointers'] as const)(
  'a rewrite by %s copies records as they are, twice',
  (by) => {
    const { fixture, file, records, tables } = makeSubject()
    const before = fixture.fileSystem.contents(fixture.path(file.number))
    const wholeOf = (i: number): Buffer => {
      const { offset, length } = records[i]!
      return Buffer.from(before.subarray(offset, offset + length))
    }
    const first = runSlices(fixture.rewriteSlices([file], tables, fixture.nextNumber(), by))
      .relocation!
    const moved = relocationFile(first)
    const second = runSlices(fixture.rewriteSlices([moved], tables, fixture.nextNumber(), by))
      .relocation!
    for (const { number } of [first, second]) {
      const bytes = Buffer.from(fixture.fileSystem.contents(fixture.path(number)))
      expect(bytes.subarray(64).indexOf(Buffer.concat([wholeOf(0), wholeOf(2)]))).toBe(0)
    }
  },
)

test('a hole begins in the value, not in the options in front of it', () => {
  const { fixture, file, records, tables, values } = makeSubject()
  const { holes } = runSlices(fixture.markSlices([file], tables)).files[0]!
  const { offset, length } = records[1]!
  const valueStart = offset + length - values[1]!.length
  expect(valueStart).toBeGreaterThan(BLOCK_BYTES)
  expect([...holes]).toEqual([2 * BLOCK_BYTES, 5 * BLOCK_BYTES])
  expect(runSlices(fixture.punchHoles(file, holes))).toMatchObject({ bytesFreed: 3 * BLOCK_BYTES })
  // All heads are still there.
  runSlices(fixture.markSlices([file], tables))
})
