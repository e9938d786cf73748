/** Values in segments, on a file system that can be made cold, and readers of them. */
import { IoError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import type { File, FileSystem } from '#dist/lib/base/files/file-system.js'
import { NO_RELOCATIONS } from '#dist/vlog/read/value-file.js'
import { ValueReader, type ValueRequest } from '#dist/vlog/read/value-reader.js'
import { recordBytes } from '#dist/vlog/record.js'
import { MemoryFileSystem } from '../files/memory-file-system.ts'
import { bytesOf, logContext, SegmentMaker } from './log-segments.ts'

const PAGE_BYTES = 4096

/** Counts reads, and makes those that are not asynchronous slow on demand. */
export class ColdFileSystem extends MemoryFileSystem {
  cold = false
  /** Of a file that is cold, what has been read once is warm. */
  keepsPages = false
  readonly #pages: Set<string> = new Set()
  reads = 0
  asyncReads = 0
  failAsync = false
  /** How a slow read takes its time. */
  passTime = (ms: number): void => {
    const until = performance.now() + ms
    while (performance.now() < until);
  }
  readonly closed: string[] = []

  override open(path: string, mode: 'create' | 'read'): ReturnType<MemoryFileSystem['open']> {
    const file = super.open(path, mode)
    if (mode === 'create') return file
    const wrapped: File = Object.create(file, {
      read: {
        value: (...given: Parameters<File['read']>) => {
          this.reads++
          const isSlow = this.cold && !this.#isKept(path, given[3], given[2])
          if (isSlow) this.passTime(0.3)
          return file.read(...given)
        },
      },
      readAsync: {
        value: async (...given: Parameters<File['read']>) => {
          this.asyncReads++
          if (this.failAsync) throw new IoError('read', path, 'EIO')
          return file.read(...given)
        },
      },
      stat: { value: () => file.stat() },
      close: { value: () => this.closed.push(path) },
    })
    return wrapped as ReturnType<MemoryFileSystem['open']>
  }

  /** Takes note of a read. @returns true if all of it has been read before, and is kept */
  #isKept(path: string, position: number, length: number): boolean {
    if (!this.keepsPages) return false
    const before = this.#pages.size
    for (let at = position - (position % PAGE_BYTES); at < position + length; at += PAGE_BYTES) {
      this.#pages.add(`${path} ${at}`)
    }
    return this.#pages.size === before
  }

  /** As if somebody else needed the memory. */
  forgetPages(): void {
    this.#pages.clear()
  }
}

function request(
  key: string,
  sequence: number,
  segment: number,
  offset: number,
  length: number,
): ValueRequest {
  const keyBytes = Buffer.from(key)
  const record = recordBytes(keyBytes.length, length)
  return {
    keyBytes,
    keyStart: 0,
    keyEnd: keyBytes.length,
    sequence,
    segment,
    offset,
    length: record,
  }
}

export interface Stored {
  readonly fileSystem: ColdFileSystem
  readonly requests: ValueRequest[]
  readonly values: Uint8Array[]
}

export function store(lengths: readonly number[], segments: number = 1): Stored {
  const fileSystem = new ColdFileSystem()
  const requests: ValueRequest[] = []
  const values: Uint8Array[] = []
  for (let segment = 1; segment <= segments; segment++) {
    const maker = new SegmentMaker(fileSystem, segment)
    const records = lengths.map((length, i) => ({
      key: `k${segment}-${i}`,
      value: bytesOf(length, i + segment),
    }))
    const first = maker.nextSequence
    for (const [i, offset] of maker.frame(records).entries()) {
      requests.push(request(records[i]!.key, first + i, segment, offset, records[i]!.value.length))
      values.push(records[i]!.value)
    }
  }
  return { fileSystem, requests, values }
}

export function readerOf(fileSystem: FileSystem, capacity: number = 8): ValueReader {
  return new ValueReader(logContext(fileSystem), capacity, NO_RELOCATIONS, new BlockCache(0))
}
