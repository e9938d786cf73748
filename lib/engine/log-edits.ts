/** The manifest as the log knows it: the edits of its segments. */
import type { LogEdits, NewSegment, SegmentSeal } from '../../vlog/log/log-parts.ts'
import type { FileNumber } from '../base/ids.ts'
import type { LogPosition } from '../base/log-position.ts'
import type { VersionSet } from '../tree/version/version-set.ts'

export class ManifestEdits implements LogEdits {
  readonly #versions: VersionSet

  constructor(versions: VersionSet) {
    this.#versions = versions
  }

  get durableEdit(): number {
    return this.#versions.durableEdit
  }

  allocateFileNumber(): FileNumber {
    return this.#versions.fileNumbers.take()
  }

  addSegment(segment: NewSegment): Promise<unknown> {
    return this.#versions.apply({ addedFiles: [{ role: 'log', ...segment }] })
  }

  sealSegment(seal: SegmentSeal, durable: LogPosition): Promise<unknown> {
    const { lastSequence } = seal
    return this.#versions.apply({ sealedFiles: [seal], durable, lastSequence })
  }

  dropSegment(number: FileNumber): Promise<unknown> {
    return this.#versions.apply({ removedSegments: [number] })
  }

  discardSegment(number: FileNumber): void {
    this.#versions.discard({ kind: 'segment', number })
  }
}
