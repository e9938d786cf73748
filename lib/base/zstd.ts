/**
 * Zstandard: the one importer of zstd-napi, which is loaded when it is first needed, and of the platform's own.
 *
 * zstd-napi is an optional peer dependency: contexts of its own that write into memory of ours make it about three
 * times as fast for small pieces. Without it the platform's is used (from Node 22.15 on); without that there is none.
 * Both are bounded by the memory that is given: a frame cannot make them allocate more than it says it has.
 */
import { createRequire } from 'node:module'
import zlib from 'node:zlib'
import type * as Binding from 'zstd-napi/binding.js'
import { WiscError } from './errors.ts'

export interface Zstd {
  /** Where it comes from. */
  readonly name: 'zstd-napi' | 'zlib'
  /** Compresses all of `source` into `target`, which has {@link frameBytesMax} at least. @returns the frame's bytes */
  compress(target: Uint8Array, source: Uint8Array, level: number): number
  /**
   * Decompresses one frame into `target`.
   * @returns the bytes that it gave: fewer than there should be if it was cut off
   * @throws whatever the library does if it is no frame, or holds more than `target` has room for
   */
  decompress(target: Uint8Array, source: Uint8Array): number
}

/** Levels of Zstandard that are taken. */
export const ZSTD_LEVELS = { min: 1, standard: 3, max: 19 } as const

/** The most bytes of a frame of so many. */
export function frameBytesMax(length: number): number {
  return length + (length >> 8) + 64
}

/** The platform's, which the types of Node 20 do not know. */
interface PlatformZstd {
  readonly zstdCompressSync?: (source: Uint8Array, options: object) => Buffer
  readonly zstdDecompressSync?: (source: Uint8Array, options: object) => Buffer
  readonly constants: { readonly ZSTD_c_compressionLevel?: number }
}

let found: Zstd | undefined

/** @throws WISC_CODEC_UNAVAILABLE if there is none */
export function zstd(): Zstd {
  found ??= packageZstd() ?? platformZstd(zlib)
  if (found) return found
  throw new WiscError(
    'WISC_CODEC_UNAVAILABLE',
    'compressed values need the package zstd-napi (npm install zstd-napi; npm rebuild zstd-napi makes a native part ' +
      'that is missing), or Node 22.15',
  )
}

/** @returns undefined if the package is not there, or not built for this platform */
export function packageZstd(): Zstd | undefined {
  let binding: typeof Binding
  try {
    binding = createRequire(import.meta.url)('zstd-napi/binding.js') as typeof Binding
  } catch {
    return undefined
  }
  const compressor = new binding.CCtx()
  const decompressor = new binding.DCtx()
  return {
    name: 'zstd-napi',
    compress: (target, source, level) => compressor.compress(target, source, level),
    decompress: (target, source) => decompressor.decompress(target, source),
  }
}

/** @returns undefined if the platform has none */
export function platformZstd(platform: unknown): Zstd | undefined {
  const { zstdCompressSync, zstdDecompressSync, constants } = platform as PlatformZstd
  const parameter = constants.ZSTD_c_compressionLevel
  if (!zstdCompressSync || !zstdDecompressSync || parameter === undefined) return undefined
  return {
    name: 'zlib',
    compress: (target, source, level) => {
      const frame = zstdCompressSync(source, { params: { [parameter]: level } })
      target.set(frame)
      return frame.length
    },
    decompress: (target, source) => {
      // It takes no bound of zero, and one byte more tells what is too long.
      const bytes = zstdDecompressSync(source, { maxOutputLength: target.length + 1 })
      target.set(bytes)
      return bytes.length
    },
  }
}
