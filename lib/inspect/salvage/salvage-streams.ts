/**
 * The streams of a store that may have lost anything: each is a file that tells its key itself, and proves all of its
 * value. What it does not tell is when it was written: for that a table or a record of the log has to name it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openStream, type StreamReader } from '../../../vlog/stream/stream-reader.ts'
import { compareBytes, keyString } from '../../base/bytes.ts'
import { joinPath, segmentName } from '../../base/files/file-names.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import type { FileNumber, SegmentNumber } from '../../base/ids.ts'
import { damageOf, type StoreFiles } from './salvage-files.ts'
import type { SalvageMap, ValuePlace } from './salvage-map.ts'

/** A value that is read piece by piece. */
export interface SalvagedStream {
  readonly size: number
  pieces(): AsyncIterable<Uint8Array>
}

const PIECE_BYTES = 1024 * 1024

export class SalvagedStreams {
  readonly #fileSystem: FileSystem
  readonly #files: StoreFiles
  /** Of each stream that is there, its key. */
  readonly #keys: Map<FileNumber, Uint8Array> = new Map()

  constructor(fileSystem: FileSystem, files: StoreFiles, numbers: readonly FileNumber[]) {
    this.#fileSystem = fileSystem
    this.#files = files
    for (const number of numbers) {
      const key = this.#keyOf(number)
      if (key !== undefined) this.#keys.set(number, key)
    }
  }

  /** Where the value of a key lies, if this is a stream of it. */
  placeOf(number: SegmentNumber, key: Uint8Array): ValuePlace | undefined {
    const known = this.#keys.get(number as FileNumber)
    if (known === undefined || compareBytes(known, key) !== 0) return undefined
    return { kind: 'stream', file: segmentName(number), offset: 0, length: 0, checksum: 0 }
  }

  /** Streams whose key nothing else tells of: they may have been deleted, or never have come to their end. */
  addUnnamed(map: SalvageMap, isWanted: (key: Uint8Array) => boolean): void {
    for (const [number, key] of this.#keys) {
      const text = keyString(key, 0, key.length)
      if (map.get(text) !== undefined || !isWanted(key)) continue
      const state = {
        sequence: 0,
        origin: 'log',
        mayBeStale: true,
        isDeleted: false,
        expiresAt: 0,
      } as const
      map.add(text, state, this.placeOf(number, key))
    }
  }

  /**
   * Proves all of a stream first: what is given out is whole. The event loop turns after each piece.
   * @param signal ends it early, whatever it gives then
   * @returns why it cannot be had, if so
   */
  async prove({ file }: ValuePlace, signal?: AbortSignal): Promise<SalvagedStream | string> {
    const number = this.#numberOf(file)
    try {
      const stream = this.#open(number)
      try {
        for (const _bytes of stream.verifySlices()) {
          await nextTurn()
          if (signal?.aborted) break
        }
        return { size: stream.size, pieces: () => this.#pieces(number) }
      } finally {
        stream.close()
      }
    } catch (error) {
      const damage = damageOf(segmentName(number), error)
      this.#files.damage.push(damage)
      return damage.reason
    }
  }

  async *#pieces(number: FileNumber): AsyncGenerator<Uint8Array, void> {
    const stream = this.#open(number)
    try {
      for (let at = 0; at < stream.size; at += PIECE_BYTES) {
        yield await stream.readAsync({ offset: at, length: PIECE_BYTES })
      }
    } finally {
      stream.close()
    }
  }

  #numberOf(file: string): FileNumber {
    return [...this.#keys.keys()].find((number) => segmentName(number) === file)!
  }

  /** What is wrong with its ends is noted: nobody can tell its value then. */
  #keyOf(number: FileNumber): Uint8Array | undefined {
    try {
      const stream = this.#open(number)
      stream.close()
      return stream.key
    } catch (error) {
      this.#files.damage.push(damageOf(segmentName(number), error))
      return undefined
    }
  }

  #open(number: FileNumber): StreamReader {
    const { directory, databaseId } = this.#files
    const name = segmentName(number)
    return openStream(this.#fileSystem, joinPath(directory, name), name, { number, databaseId })
  }
}
