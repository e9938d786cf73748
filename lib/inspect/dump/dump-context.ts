/** The context of a dump: the file, and which part of it is wanted. */
import type { File } from '../../base/files/file-system.ts'
import { FileWindow } from '../../base/files/file-window.ts'

export interface DumpContext {
  readonly file: File
  /** The name that the file has in its database: what it is about follows from it. */
  readonly name: string
  /** End of the bytes that are there. */
  readonly size: number
  /** Where they begin: above 0 if the beginning is missing, as in lost/. */
  readonly start: number
  /** Items outside of [from, to) need not be proved or shown. */
  readonly from: number
  readonly to: number
}

export function isWanted(
  { from, to }: DumpContext,
  { offset, length }: { readonly offset: number; readonly length: number },
): boolean {
  return offset < to && offset + Math.max(1, length) > from
}

/** Bytes of the file, fewer where it ends. */
export function readRange(file: File, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, file.read(bytes, 0, length, offset))
}

/** A window for jumps: a dump reads little of what it passes over. */
export function dumpWindow({ file, size }: DumpContext): FileWindow {
  return new FileWindow(file, size)
}
