/** The accounting (I9): what the collector acts on, held against what the entries of all tables say. */
import { CorruptionError } from '../base/errors.ts'
import { segmentName } from '../base/files/file-names.ts'
import type { SegmentNumber } from '../base/ids.ts'
import type { RecordSum } from '../base/segment-records.ts'
import type { References } from '../space/references.ts'
import { relocationFiles, type Version } from '../tree/version/version.ts'

const NOTHING: Readonly<RecordSum> = { records: 0, bytes: 0 }

/** Records that entries point to, by logical segment, counted entry by entry. */
export class RecountedReferences {
  readonly #uses: Map<SegmentNumber, RecordSum> = new Map()

  add(segment: SegmentNumber, records: number, bytes: number): void {
    const use = this.#uses.get(segment) ?? { ...NOTHING }
    use.records += records
    use.bytes += bytes
    this.#uses.set(segment, use)
  }

  addAll(other: RecountedReferences): void {
    for (const [segment, { records, bytes }] of other.#uses) this.add(segment, records, bytes)
  }

  of(segment: SegmentNumber): Readonly<RecordSum> {
    return this.#uses.get(segment) ?? NOTHING
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
    const { records, bytes } = references.of(number) ?? NOTHING
    if (records === counted.records && bytes === counted.bytes) continue
    const reason = `accounting differs records=${records} bytes=${bytes} counted=${counted.records},${counted.bytes}`
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
