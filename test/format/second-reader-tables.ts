/** Tables, for the second reader: written from lib/tree/FORMAT.md section 2 alone. */
import { crc32 } from 'node:zlib'
import { checksum, must, mustKnow, u64, Varints } from './second-reader-parts.ts'

interface TableEntry {
  readonly key: Buffer
  readonly sequence: number
  /** Of bit 4; 0: it never expires. */
  readonly expiresAt: number
  /** Of kind 1. */
  readonly value: Buffer | undefined
  /** Of kind 2. */
  readonly pointer: Record<'segment' | 'offset' | 'length', number> | undefined
}

/** Keys from `start` on and below `end` that are older are deleted; without an end, all from `start` on. */
export interface TableFragment {
  readonly start: Buffer
  readonly end: Buffer | undefined
  readonly sequence: number
}

/** All entries of a table, in order. @throws Error for anything that the format does not allow */
export function* tableEntries(
  bytes: Buffer,
  seed: number,
  name: string,
  { entries: entryCount, fragments: fragmentCount }: { entries: number; fragments: number },
  range: (fragment: TableFragment) => void,
): Generator<TableEntry> {
  const footer = bytes.subarray(-28)
  must(footer.toString('latin1', 20) === 'wisctab1', `${name}: footer magic`)
  must(footer.readUInt32LE(16) === crc32(footer.subarray(0, 16), seed), `${name}: footer checksum`)
  must(u64(footer, 0) === bytes.length && footer.readUInt16LE(14) === 0, `${name}: footer`)
  const parts = partsOf(bytes, seed, footer.readUInt32LE(8), name)
  const bounds = parts.get(2)
  const references = parts.get(4)
  const properties = parts.get(6)
  must(
    bounds !== undefined && references !== undefined && properties !== undefined,
    `${name}: parts`,
  )
  const segments: number[] = []
  const sums: { records: number; bytes: number; fingerprint: number }[] = []
  for (let count = references.next(); count > 0; count--) {
    segments.push(references.next())
    sums.push({ records: references.next(), bytes: references.next(), fingerprint: 0 })
  }
  const fingerprints = fieldsOf(references, [2]).get(2)
  must(fingerprints?.length === 4 * sums.length, `${name}: fingerprints`)
  sums.forEach((sum, i) => {
    sum.fingerprint = fingerprints.readUInt32LE(4 * i)
  })
  const fields = fieldsOf(properties, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 30, 31])
  const isExclusive = fields.has(24)
  const optional = [24, 26, 30, 31].filter((tag) => fields.has(tag)).length
  must(fields.size === 11 + optional, `${name}: properties`)
  const number = (tag: number): number => new Varints(fields.get(tag)!).next()
  must(number(2) === entryCount, `${name}: entries`)
  must((fields.has(30) ? number(30) : 0) === fragmentCount, `${name}: fragments`)
  must(fragmentCount > 0 === parts.has(8), `${name}: range tombstones`)
  const tags = [...(fields.get(26) ?? [])]
  mustKnow(
    tags.every((tag) => tag === 17 || tag === 18),
    `${name}: tags of entries`,
  )
  const spans = spansOf(fields.get(31) ?? Buffer.alloc(0), name)
  const baseSequence = number(14)
  for (const fragment of fragmentsOf(parts.get(8), baseSequence, fragmentCount, name)) {
    const { start, end, sequence } = fragment
    must(Buffer.compare(fields.get(20)!, start) <= 0, `${name}: a fragment begins before`)
    const top = fields.get(22)!
    const isInside = end
      ? Buffer.compare(end, top) <= 0 || (isExclusive && top.length === 0)
      : isExclusive && top.length === 0
    must(isInside, `${name}: a fragment ends behind`)
    must(sequence >= number(16) && sequence <= number(18), `${name}: sequence of a fragment`)
    range(fragment)
  }
  let offset = 64
  for (let count = bounds.next(); count > 0; count--) {
    bounds.next()
    bounds.take(bounds.next())
    const length = bounds.next()
    const content = block(bytes, seed, offset, length, name)
    for (const entry of blockEntries(content, baseSequence, segments)) {
      if (entry.pointer) subtract(sums[segments.indexOf(entry.pointer.segment)]!, entry.pointer)
      if (entry.expiresAt > 0) {
        must(tags.includes(entry.value ? 17 : 18), `${name}: tag of an entry that expires`)
        takeExpiring(spans, entry, name)
      }
      yield entry
    }
    offset += length + 5
  }
  for (const { records, bytes: rest, fingerprint } of sums) {
    must(records === 0 && rest === 0 && fingerprint === 0, `${name}: references`)
  }
  for (const { puts, bytes: rest, pointedBytes, isEndFound } of spans) {
    must(puts === 0 && rest === 0 && pointedBytes === 0 && isEndFound, `${name}: expiries`)
  }
}

/** What is said of a span of time, less what was found of it. */
interface Span {
  readonly end: number
  puts: number
  bytes: number
  pointedBytes: number
  isEndFound: boolean
}

/** F-T26. */
function spansOf(content: Buffer, name: string): Span[] {
  const varints = new Varints(content)
  const spans: Span[] = []
  while (!varints.done) {
    const [end, puts] = [varints.next(), varints.next()]
    const [bytes, pointedBytes] = [varints.next(), varints.next()]
    must(end > (spans.at(-1)?.end ?? 0), `${name}: expiries are out of order`)
    spans.push({ end, puts, bytes, pointedBytes, isEndFound: false })
  }
  return spans
}

function takeExpiring(spans: readonly Span[], entry: TableEntry, name: string): void {
  const { key, value, pointer, expiresAt } = entry
  const span = spans.find(({ end }) => expiresAt <= end)
  must(span !== undefined, `${name}: an entry expires behind all spans`)
  span.puts--
  // F-T18
  const valueBytes = value?.length ?? Math.max(0, pointer!.length - 40 - key.length)
  span.bytes -= key.length + valueBytes
  span.pointedBytes -= pointer?.length ?? 0
  if (expiresAt === span.end) span.isEndFound = true
}

/** F-T24. @returns one for each sequence */
function fragmentsOf(
  part: Varints | undefined,
  baseSequence: number,
  expected: number,
  name: string,
): TableFragment[] {
  const fragments: TableFragment[] = []
  const count = part?.next() ?? 0
  must(count === expected, `${name}: count of fragments`)
  let last: Buffer | undefined = Buffer.alloc(0)
  for (let i = 0; i < count; i++) {
    const start = part!.take(part!.next())
    const given = part!.take(part!.next())
    const end = given.length === 0 ? undefined : given
    must(last !== undefined && Buffer.compare(last, start) <= 0, `${name}: fragments overlap`)
    must(end === undefined || Buffer.compare(start, end) < 0, `${name}: fragment is empty`)
    last = end
    let before = Number.POSITIVE_INFINITY
    const sequences = part!.next()
    must(sequences > 0, `${name}: fragment without a sequence`)
    for (let each = 0; each < sequences; each++) {
      const sequence = baseSequence + part!.next()
      must(sequence < before, `${name}: sequences of a fragment`)
      before = sequence
      fragments.push({ start, end, sequence })
    }
  }
  must(part === undefined || part.done, `${name}: range tombstones go on`)
  return fragments
}

/** F-T14 and F-T27. */
function subtract(
  sum: { records: number; bytes: number; fingerprint: number },
  { offset, length }: NonNullable<TableEntry['pointer']>,
): void {
  sum.records--
  sum.bytes -= length
  const seed = Number((BigInt(length) * 0xc2b2ae35n) % 2n ** 32n)
  sum.fingerprint = (sum.fingerprint - markOf(seed, offset)) >>> 0
}

/** Section 2.2: the parts that this reader knows, by their tags. */
function partsOf(
  bytes: Buffer,
  seed: number,
  indexLength: number,
  name: string,
): Map<number, Varints> {
  let end = bytes.length - 28 - indexLength - 5
  const metaIndex = new Varints(block(bytes, seed, end, indexLength, name))
  const listed: [number, number][] = []
  while (!metaIndex.done) listed.push([metaIndex.next(), metaIndex.next()])
  const parts = new Map<number, Varints>()
  for (const [tag, length] of listed.reverse()) {
    end -= length + 5
    if ([2, 4, 6, 8].includes(tag))
      parts.set(tag, new Varints(block(bytes, seed, end, length, name)))
    else must(tag % 2 === 1, `${name}: unknown part ${tag}`)
  }
  return parts
}

/** F-T19. */
function fieldsOf(varints: Varints, known: readonly number[]): Map<number, Buffer> {
  const fields = new Map<number, Buffer>()
  for (let last = -1; !varints.done; ) {
    const tag = varints.next()
    const content = varints.take(varints.next())
    must(tag > last, 'fields are out of order')
    if (known.includes(tag)) fields.set(tag, content)
    else must(tag % 2 === 1, `unknown field ${tag}`)
    last = tag
  }
  return fields
}

/** Section 2.3. */
function* blockEntries(
  content: Buffer,
  baseSequence: number,
  segments: readonly number[],
): Generator<TableEntry> {
  const restarts = content.readUInt32LE(content.length - 4)
  const fields = new Varints(content.subarray(0, content.length - 4 * (restarts + 1)))
  let key = Buffer.alloc(0)
  while (!fields.done) {
    const [shared, unshared] = [fields.next(), fields.next()]
    const tag = fields.take(1)[0]! & 63
    const kind = tag & 15
    must(kind <= 2 && (tag === kind || (tag === kind + 16 && kind > 0)), `entry of tag ${tag}`)
    const sequence = baseSequence + fields.next()
    key = Buffer.concat([key.subarray(0, shared), fields.take(unshared)])
    const expiresAt = tag > 15 ? fields.next() : 0
    const value = kind === 1 ? fields.take(fields.next()) : undefined
    let pointer: TableEntry['pointer']
    if (kind === 2) {
      const segment = segments[fields.next()]!
      pointer = { segment, offset: fields.next(), length: fields.next() }
    }
    yield { key, sequence, value, pointer, expiresAt }
  }
}

/** F-T4. */
function markOf(seed: number, offset: number): number {
  let mark = (seed ^ (offset % 2 ** 32) ^ Math.imul(Math.floor(offset / 2 ** 32), 0x9e3779b1)) >>> 0
  mark = Math.imul(mark ^ (mark >>> 16), 0x85ebca6b)
  mark = Math.imul(mark ^ (mark >>> 13), 0xc2b2ae35)
  return mark ^ (mark >>> 16)
}

function block(bytes: Buffer, seed: number, offset: number, length: number, name: string): Buffer {
  must(offset >= 64 && offset + length + 5 <= bytes.length, `${name}: a block passes the end`)
  const sum = checksum(bytes.subarray(offset, offset + length + 1))
  const expected = (sum ^ markOf(seed, offset)) >>> 0
  must(bytes.readUInt32LE(offset + length + 1) === expected, `${name}: block checksum at ${offset}`)
  must(bytes[offset + length] === 0, `${name}: codec at ${offset}`)
  return bytes.subarray(offset, offset + length)
}
