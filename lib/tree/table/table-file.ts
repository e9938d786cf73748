/**
 * The file of a table while it is written: header, data blocks with their bounds, then filter, index, references,
 * properties, meta index and footer; what is in them its user decides.
 */
import { assert, syncFailed } from '../../base/errors.ts'
import { AppendBuffer } from '../../base/files/append-buffer.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  writeFileHeader,
} from '../../base/files/file-header.ts'
import type { File } from '../../base/files/file-system.ts'
import { frameSeed } from '../../base/files/frame.ts'
import type { GrowingBytes } from '../../base/growing-bytes.ts'
import type { Reference } from '../../base/segment-records.ts'
import { encodeRanges } from '../ranges/range-format.ts'
import type { FragmentList } from '../ranges/range-fragments.ts'
import {
  type BlockHandle,
  encodeFooter,
  encodeMetaIndex,
  FOOTER_BYTES,
  PART,
  sealBlock,
  type TablePart,
  TRAILER_BYTES,
} from './table-format.ts'
import { IndexBuilder } from './table-index.ts'
import { encodeProperties, type TableProperties } from './table-properties.ts'
import { encodeReferences } from './table-references.ts'

export class TableFile {
  readonly #file: File
  readonly #out: AppendBuffer
  readonly #seed: number
  readonly #index: IndexBuilder = new IndexBuilder()
  readonly #parts: TablePart[] = []

  /** @param file a new, empty file; its owner closes it */
  constructor(file: File, identity: FileIdentity) {
    assert(identity.kind === 'table', 'a table has the header of a table')
    this.#file = file
    this.#out = new AppendBuffer(file)
    this.#seed = frameSeed(identity)
    const header = new Uint8Array(FILE_HEADER_BYTES)
    writeFileHeader(header, 0, identity)
    this.#out.append(header, 0, FILE_HEADER_BYTES)
  }

  /** About what the file would have if it were finished now, without its filter. */
  get endedBytes(): number {
    return this.#out.length + this.#index.bytes + FOOTER_BYTES
  }

  /** Begins a data block: see {@link IndexBuilder}. */
  beginBlock(key: Uint8Array, start: number, end: number, distance: number | undefined): void {
    this.#index.beginBlock(key, start, end, distance)
  }

  /** Writes the data block that was begun: content bytes[start .. end), behind which there is room for its trailer. */
  appendBlock(bytes: Uint8Array, start: number, end: number): void {
    this.#index.endBlock(end - start)
    this.#out.append(bytes, start, sealBlock(bytes, start, end, this.#seed, this.#out.length))
  }

  /**
   * Ends the file.
   * @param sync false: the caller syncs it
   * @returns its length
   * @throws WISC_SYNC_FAILED, IoError
   */
  finish(
    properties: TableProperties,
    references: readonly Reference[],
    filter: GrowingBytes | undefined,
    ranges: FragmentList,
    sync: boolean,
  ): number {
    if (filter) this.#appendPart(PART.filter, filter)
    this.#appendPart(PART.index, this.#index.finish())
    if (ranges.length > 0)
      this.#appendPart(PART.ranges, encodeRanges(ranges, properties.baseSequence))
    this.#appendPart(PART.references, encodeReferences(references))
    this.#appendPart(PART.properties, encodeProperties(properties))
    const metaIndex = this.#appendContent(encodeMetaIndex(this.#parts))
    this.#out.append(encodeFooter(metaIndex, this.#seed, this.#out.length), 0, FOOTER_BYTES)
    this.#out.flush()
    if (sync) this.#sync()
    return this.#out.length
  }

  #sync(): void {
    try {
      this.#file.sync()
    } catch (error) {
      throw syncFailed(this.#file.path, error)
    }
  }

  #appendPart(tag: number, content: GrowingBytes): void {
    this.#parts.push({ tag, ...this.#appendContent(content) })
  }

  #appendContent(content: GrowingBytes): BlockHandle {
    const handle = { offset: this.#out.length, length: content.length }
    content.reserve(TRAILER_BYTES)
    const end = sealBlock(content.bytes, 0, content.length, this.#seed, handle.offset)
    this.#out.append(content.bytes, 0, end)
    return handle
  }
}
