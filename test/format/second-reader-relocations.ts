/** Relocations, for the second reader: written from vlog/FORMAT.md section 9 alone. */
import { crc32 } from 'node:zlib'
import { must, mustKnow, readHead, u64 } from './second-reader-parts.ts'

export interface Part {
  readonly segment: number
  readonly records: number
  readonly bytes: number
}

const PAGE_ENTRIES = 341

/** Where each record lies, by `segment/offset`. @throws Error for anything that the format does not allow */
export function relocationPlaces(
  bytes: Buffer,
  seed: number,
  name: string,
  kept: readonly Part[],
): Map<string, number> {
  const footer = bytes.subarray(-64)
  must(footer.toString('latin1', 56) === 'wiscrel1', `${name}: footer magic`)
  must(footer.readUInt32LE(52) === crc32(footer.subarray(0, 52), seed), `${name}: footer checksum`)
  mustKnow(footer.readUInt16LE(50) === 0, `${name}: footer`)
  must(u64(footer, 40) === bytes.length, `${name}: footer`)
  const [recordsEnd, fenceAt, partsAt] = [u64(footer, 0), u64(footer, 8), u64(footer, 16)]
  const [records, partCount] = [u64(footer, 24), footer.readUInt32LE(32)]
  const pages = Math.ceil(records / PAGE_ENTRIES)
  // F-V13
  const meets =
    fenceAt === recordsEnd + 12 * records + 4 * pages &&
    partsAt === fenceAt + 6 * pages + 4 &&
    bytes.length === partsAt + 24 * partCount + 4 + 64
  must(meets, `${name}: parts of the file do not meet`)
  const proved = (from: number, length: number): Buffer => {
    const at = Buffer.alloc(8)
    at.writeBigUInt64LE(BigInt(from))
    const content = bytes.subarray(from, from + length)
    const found = bytes.readUInt32LE(from + length)
    must(found === crc32(content, crc32(at, seed)), `${name}: checksum of the index at ${from}`)
    return content
  }
  const parts = partsOf(proved(partsAt, 24 * partCount), partCount)
  // F-V14
  must(sum(parts, 'records') === records, `${name}: records`)
  must(sum(parts, 'bytes') === recordsEnd - 64, `${name}: bytes`)
  must(isAscending(parts.map(({ segment }) => segment)), `${name}: parts ascend`)
  for (const { segment, records: count, bytes: length } of kept) {
    const part = parts.find((one) => one.segment === segment)
    must(part?.records === count && part.bytes === length, `${name}: other parts than the manifest`)
  }
  const entries: [number, number][] = []
  const fence = proved(fenceAt, 6 * pages)
  for (let page = 0, at = recordsEnd; page < pages; page++) {
    const count = Math.min(PAGE_ENTRIES, records - page * PAGE_ENTRIES)
    const content = proved(at, 12 * count)
    must(fence.readUIntLE(6 * page, 6) === content.readUIntLE(0, 6), `${name}: fence`)
    for (let i = 0; i < count; i++) {
      entries.push([content.readUIntLE(12 * i, 6), content.readUIntLE(12 * i + 6, 6)])
    }
    at += 12 * count + 4
  }
  return placesOf(bytes.subarray(0, recordsEnd), name, parts, entries)
}

/** F-V15, F-V16 */
function placesOf(
  records: Buffer,
  name: string,
  parts: readonly Part[],
  entries: readonly (readonly [number, number])[],
): Map<string, number> {
  const lengths = new Map<number, number>()
  for (let at = 64; at < records.length; ) {
    const { length } = readHead(records.subarray(at))
    lengths.set(at, length)
    at += length
  }
  must(lengths.size === entries.length, `${name}: entries and records`)
  const places = new Map<string, number>()
  let next = 0
  for (const part of parts) {
    const mine = entries.slice(next, next + part.records)
    next += part.records
    must(isAscending(mine.map(([offset]) => offset)), `${name}: offsets ascend`)
    let bytes = 0
    for (const [offset, place] of mine) {
      const length = lengths.get(place)
      must(length !== undefined && lengths.delete(place), `${name}: entry leads to no record`)
      bytes += length
      places.set(`${part.segment}/${offset}`, place)
    }
    must(bytes === part.bytes, `${name}: bytes of segment ${part.segment}`)
  }
  return places
}

function partsOf(content: Buffer, count: number): Part[] {
  return Array.from({ length: count }, (_, i) => {
    const part = content.subarray(24 * i)
    mustKnow(part.readUInt16LE(6) === 0, 'part of a relocation')
    return { segment: part.readUInt32LE(0), records: u64(part, 8), bytes: u64(part, 16) }
  })
}

function sum(parts: readonly Part[], field: 'records' | 'bytes'): number {
  return parts.reduce((total, part) => total + part[field], 0)
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1]!)
}
