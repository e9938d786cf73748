/** The garbage of a file of the value log, or of all, for people: they cannot get back what was given back already. */
import type { SegmentInfo } from '../../lib/index.ts'

/** What no entry points to, and that part of it which has been given back as holes. Bytes. */
export function deadAndPunched({
  exposedGarbageBytes,
  punchedBytes,
}: Pick<SegmentInfo, 'exposedGarbageBytes' | 'punchedBytes'>): {
  readonly dead: number
  readonly punched: number
} {
  const punched = Math.min(punchedBytes, exposedGarbageBytes)
  return { dead: exposedGarbageBytes - punched, punched }
}
