/** `segments()`: the files of the value log, and what lives in them. */

import { segmentName } from '../base/files/file-names.ts'
import type { SegmentInfo } from '../contract/types.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { exposedGarbageBytes, heldSegments, punchedBytes } from '../space/figures.ts'
import { isOpen } from '../tree/version/version.ts'

/** The files of the value log, in the order of their numbers. */
export function segmentInfos(engine: ReadingEngine): SegmentInfo[] {
  const { version } = engine
  const infos = engine.space.measure().files.map((file): SegmentInfo => {
    const { number, kind, totalBytes, referencedBytes, referencedRecords, diskBytes } = file
    const { blocked } = file
    const known = version.files.get(number)
    return {
      id: number,
      file: segmentName(number),
      kind,
      state: known !== undefined && isOpen(known) ? 'open' : 'sealed',
      segments: heldSegments(file),
      totalBytes,
      referencedBytes,
      referencedRecords,
      exposedGarbageBytes: exposedGarbageBytes(file),
      diskBytes,
      punchedBytes: punchedBytes(file),
      blocked: blocked === 'busy' || blocked === 'not asked for' ? undefined : blocked,
    }
  })
  return infos.sort((left, right) => left.id - right.id)
}
