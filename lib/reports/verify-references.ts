/** The accounting (I9): what the collector acts on, held against what the entries of all tables say. */
import { hex32 } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import { segmentName } from '../base/files/file-names.ts'
import type { SegmentNumber } from '../base/ids.ts'
import {
  addPointer,
  addSum,
  nameTheSame,
  noReferences,
  type ReferenceSum,
} from '../base/segment-records.ts'
import type { References } from '../space/references.ts'
import type { Entry } from '../tree/entry.ts'
import { relocationFiles, type Version } from '../tree/version/version.ts'

const NOTHING: Readonly<ReferenceSum> = noReferences()

/** Records that entries point to, by logical segment, counted entry by entry. */
export class RecountedReferences {
  readonly #uses: Map<SegmentNumber, ReferenceSum> = new Map()

  add({ segment, offset, length }: Pick<Entry, 'segment' | 'offset' | 'length'>): void {
    addPointer(this.#useOf(segment), offset, length)
  }

  addAll(other: RecountedReferences): void {
    for (const [segment, sum] of other.#uses) addSum(this.#useOf(segment), sum)
  }

  of(segment: SegmentNumber): Readonly<ReferenceSum> {
    return this.#uses.get(segment) ?? NOTHING
  }

  #useOf(segment: SegmentNumber): ReferenceSum {
    let use = this.#uses.get(segment)
    if (use === undefined) {
      use = noReferences()
      this.#uses.set(segment, use)
    }
    return use
  }
}

/**
 * The sums that the collector acts on are those of the entries, and no file holds less than is referenced.
 * @param references those of the version
 * @throws CorruptionError
 */
export function verifyReferences(
  version: Pick<Version, 'segments' | 'files'>,
  references: Pick<References, 'of'>,
  recounted: RecountedReferences,
): void {
  for (const number of version.segments.keys()) {
    const counted = recounted.of(number)
    const known = references.of(number) ?? NOTHING
    if (nameTheSame(known, counted)) continue
    const reason = `accounting differs known=${described(known)} counted=${described(counted)}`
    throw new CorruptionError(segmentName(number), 0, reason)
  }
  for (const { number, parts } of relocationFiles(version)) {
    for (const { segment, bytes } of parts) {
      if (recounted.of(segment).bytes <= bytes) continue
      const reason = `relocation holds less of segment ${segment} than entries point to`
      throw new CorruptionError(segmentName(number), 0, reason)
    }
  }
}

function described({ records, bytes, fingerprint }: Readonly<ReferenceSum>): string {
  return `${records},${bytes},${hex32(fingerprint >>> 0)}`
}
