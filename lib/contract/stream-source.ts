/**
 * Where the bytes of a stream come from: async iterables (Node's streams are some), web streams, Blobs and file handles
 * as one shape. The next piece is asked for when the one before has been taken, so who reads slowly is not flooded.
 */
import { types } from 'node:util'
import { lengthOf } from '../base/bytes.ts'
import { invalidArgument } from '../base/errors.ts'
import { mustBe, noPiece } from './given.ts'
import type { ReadableHandle, StreamSource } from './types.ts'

/** Of a file handle. */
const READ_BYTES = 1024 * 1024

export interface PieceSource {
  /** The next piece, as it came; undefined at the end. */
  next(): Promise<Uint8Array | undefined>
  /** Nothing more is asked for: the source may let go what it holds. Called once, unless it has ended. Never throws. */
  cancel(reason: unknown): void
}

/** @throws WISC_INVALID_ARGUMENT for what is no source */
export function pieceSource(given: StreamSource): PieceSource {
  const source = given as unknown
  if (typeof source === 'object' && source !== null && !types.isUint8Array(source)) {
    if (hasMethod(source, 'getReader')) return ofReader(source.getReader() as Reader)
    if (isBlob(source)) return ofReader(source.stream().getReader() as Reader)
    // Before file handles: a stream of a file has a descriptor and a `read`, too, once it is open.
    if (Symbol.asyncIterator in source) return ofIterable(source as AsyncIterable<unknown>)
    if (isFileHandle(source)) return ofHandle(source)
  }
  throw invalidArgument(
    mustBe('an async iterable, a ReadableStream, a Blob or a file handle', 'source', source),
  )
}

interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>
  cancel(reason: unknown): Promise<void>
  releaseLock(): void
}

function hasMethod<Name extends string>(
  source: object,
  name: Name,
): source is { readonly [key in Name]: () => unknown } {
  return typeof (source as Record<string, unknown>)[name] === 'function'
}

/** Not `instanceof`: one of another realm, or of a library, is one, too. */
function isBlob(source: object): source is { stream(): { getReader(): unknown } } {
  return hasMethod(source, 'stream') && hasMethod(source, 'arrayBuffer')
}

function isFileHandle(source: object): source is ReadableHandle {
  return hasMethod(source, 'read') && typeof (source as { fd?: unknown }).fd === 'number'
}

function ofReader(reader: Reader): PieceSource {
  return {
    async next() {
      const { done, value } = await reader.read()
      if (!done) return pieceBytes(value)
      reader.releaseLock()
      return undefined
    },
    cancel: (reason) => ignore(() => reader.cancel(reason)),
  }
}

/** From where it stands to its end. It stays open: whoever opened it closes it. */
function ofHandle(handle: ReadableHandle): PieceSource {
  // The piece before has been taken when the next one is asked for.
  const target = new Uint8Array(READ_BYTES)
  return {
    async next() {
      const { bytesRead } = await handle.read(target, 0, target.length, null)
      return bytesRead === 0 ? undefined : target.subarray(0, bytesRead)
    },
    cancel: () => {},
  }
}

function ofIterable(iterable: AsyncIterable<unknown>): PieceSource {
  // A stream of Node that fails before its first piece is asked for, as while it waits for its turn, would end the
  // process: nobody else listens. Its iterator tells of it.
  if (hasMethod(iterable, 'destroy') && hasMethod(iterable, 'on')) listen(iterable)
  const iterator = iterable[Symbol.asyncIterator]()
  return {
    async next() {
      const { done, value } = await iterator.next()
      return done ? undefined : pieceBytes(value)
    },
    cancel: () => {
      // An iterator that waits for its next piece hears of nothing else: a stream of Node's has to be told itself.
      if (hasMethod(iterable, 'destroy')) ignore(() => iterable.destroy())
      else ignore(() => iterator.return?.())
    },
  }
}

/** Whatever it makes of it: why the stream ended is told by whoever has cancelled it. */
function ignore(cancel: () => unknown): void {
  const cancelled = new Promise((resolve) => resolve(cancel()))
  cancelled.catch(ended)
}

function ended(): void {}

function listen(stream: { on(name: 'error', listener: () => void): unknown }): void {
  stream.on('error', ended)
}

/** A piece may be empty, but must have its memory. @throws WISC_INVALID_ARGUMENT */
function pieceBytes(piece: unknown): Uint8Array {
  // Not `instanceof`: an array of another realm is one, too.
  if (types.isUint8Array(piece)) return piece.subarray(0, lengthOf(piece))
  throw invalidArgument(noPiece('a piece of the source', piece))
}
