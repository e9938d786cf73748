/** The moment of a read: what has expired by then is not seen. A snapshot keeps that of its creation. */
import type { SnapshotOptions } from '../contract/types.ts'

/** @returns undefined for now */
export function momentOf(options: SnapshotOptions | undefined): number | undefined {
  const snapshot = options?.snapshot as { readonly moment?: number } | undefined
  return snapshot?.moment
}
