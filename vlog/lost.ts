/**
 * lost/: bytes that recovery sets aside before they leave the log. The store never reads them again.
 *
 * Bounded in number and size; what does not fit is only counted, because a full directory of lost bytes
 * must not keep a store from opening. The copies are durable before the log forgets the originals.
 */
import { AppendBuffer } from '../lib/base/append-buffer.ts'
import { joinPath, LOST_NAME } from '../lib/base/file-names.ts'
import { FileWindow } from '../lib/base/file-window.ts'
import type { LogContext } from './recovery.ts'

const LOST_FILES_MAX = 64
const LOST_FILE_BYTES_MAX: number = 64 * 1024 * 1024
const PIECE_BYTES = 256 * 1024

/** A range of a file that is set aside. `name` is that of a file of the database. */
export interface LostRange {
  readonly name: string
  readonly from: number
  readonly to: number
}

/**
 * Copies the ranges to `lost/NAME@OFFSET`. One that is there already, from a recovery that did not end, stays.
 * @returns bytes that were set aside, and bytes that were not because of the bounds
 */
export function setAside(
  context: LogContext,
  ranges: readonly LostRange[],
): { copiedBytes: number; uncopiedBytes: number } {
  const { fileSystem, directory } = context
  if (ranges.length === 0) return { copiedBytes: 0, uncopiedBytes: 0 }
  const lost = joinPath(directory, LOST_NAME)
  if (fileSystem.makeDirectory(lost)) fileSystem.syncDirectory(directory)
  const there = new Set(fileSystem.list(lost))
  let copiedBytes = 0
  let uncopiedBytes = 0
  for (const { name, from, to } of ranges) {
    const base = `${name}@${from}`
    if (there.size >= LOST_FILES_MAX) {
      uncopiedBytes += to - from
      continue
    }
    const length = Math.min(to - from, LOST_FILE_BYTES_MAX)
    // The same bytes, set aside by a recovery that did not end. One of another length was cut off: both are kept.
    if (fileSystem.statPath(joinPath(lost, base))?.size === length) continue
    let target = base
    for (let i = 2; there.has(target); i++) target = `${base}.${i}`
    copyRange(context, name, from, from + length, joinPath(lost, target))
    there.add(target)
    copiedBytes += length
    uncopiedBytes += to - from - length
  }
  fileSystem.syncDirectory(lost)
  return { copiedBytes, uncopiedBytes }
}

function copyRange(
  context: LogContext,
  name: string,
  from: number,
  to: number,
  targetPath: string,
): void {
  const { fileSystem, directory } = context
  const source = fileSystem.open(joinPath(directory, name), 'read')
  try {
    const target = fileSystem.open(targetPath, 'create')
    try {
      const out = new AppendBuffer(target)
      const window = new FileWindow(source, to)
      for (let offset = from; offset < to; offset += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, to - offset)
        const at = window.view(offset, length)
        out.append(window.bytes, at, at + length)
      }
      out.flush()
      target.sync()
    } finally {
      target.close()
    }
  } finally {
    source.close()
  }
}

/** The largest file number that names in lost/ mention: numbers are never used again. */
export function largestLostNumber(context: LogContext): number {
  const { fileSystem, directory } = context
  const lost = joinPath(directory, LOST_NAME)
  if (fileSystem.statPath(lost)?.kind !== 'directory') return 0
  let largest = 0
  for (const name of fileSystem.list(lost)) {
    const match = /^(?:MANIFEST-)?(\d{6,10})(?:\.vlog|\.sst)?@/.exec(name)
    if (match) largest = Math.max(largest, Number(match[1]))
  }
  return largest
}
