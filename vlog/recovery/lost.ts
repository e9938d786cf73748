/**
 * lost/: bytes that recovery sets aside before they leave the log. The store never reads them again.
 *
 * Bounded in number and size; what does not fit is only counted, because a full directory of lost bytes
 * must not keep a store from opening.
 */
import { AppendBuffer } from '../../lib/base/files/append-buffer.ts'
import { joinPath, LOST_NAME, mayBeGiven } from '../../lib/base/files/file-names.ts'
import { FileWindow } from '../../lib/base/files/file-window.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import { setAsideEntry } from '../../lib/base/files/unlink.ts'

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
 * Copies the ranges to `lost/NAME@OFFSET`, or `lost/NAME@OFFSET.2` and so on where that is another copy.
 *
 * The order, before the edit by which the log forgets the originals: the name lost/ is made durable; each copy is
 * written and synced; their names are made durable. What is there of a recovery that did not end is not trusted: its
 * bytes may be in the page cache alone, or cut off. A copy that holds nothing but bytes of the range is made anew; one
 * that holds anything else stays.
 * @returns bytes that were set aside, and bytes that were not because of the bounds
 */
export function setAside(
  context: StoreDirectory,
  ranges: readonly LostRange[],
): { copiedBytes: number; uncopiedBytes: number } {
  const { fileSystem, directory } = context
  if (ranges.length === 0) return { copiedBytes: 0, uncopiedBytes: 0 }
  const lost = joinPath(directory, LOST_NAME)
  makeLost(context, lost)
  const there = new Set(fileSystem.list(lost))
  let copiedBytes = 0
  let uncopiedBytes = 0
  for (const range of ranges) {
    const length = Math.min(range.to - range.from, LOST_FILE_BYTES_MAX)
    const target = clearTarget(context, lost, there, { ...range, to: range.from + length })
    if (there.size >= LOST_FILES_MAX) {
      uncopiedBytes += range.to - range.from
      continue
    }
    copyRange(context, range.name, range.from, range.from + length, joinPath(lost, target))
    there.add(target)
    copiedBytes += length
    uncopiedBytes += range.to - range.from - length
  }
  fileSystem.syncDirectory(lost)
  return { copiedBytes, uncopiedBytes }
}

/** Also where it is there: whoever made it may not have come to make its name durable. */
function makeLost({ fileSystem, directory }: StoreDirectory, lost: string): void {
  const kind = fileSystem.statPath(lost)?.kind
  // Never through a link that somebody has put there.
  if (kind !== undefined && kind !== 'directory') setAsideEntry(fileSystem, directory, LOST_NAME)
  fileSystem.makeDirectory(lost)
  fileSystem.syncDirectory(directory)
}

/** A free name for the copy of a range. Former copies that hold nothing else are removed. */
function clearTarget(
  context: StoreDirectory,
  lost: string,
  there: Set<string>,
  range: LostRange,
): string {
  const base = `${range.name}@${range.from}`
  for (let i = 1; ; i++) {
    const target = i === 1 ? base : `${base}.${i}`
    if (!there.has(target)) return target
    const path = joinPath(lost, target)
    if (!isPartOf(context, path, range)) continue
    context.fileSystem.unlink(path)
    there.delete(target)
    return target
  }
}

/** Whether a file holds the first bytes of a range, or all of them, and no others. */
function isPartOf(
  { fileSystem, directory }: StoreDirectory,
  path: string,
  range: LostRange,
): boolean {
  const stat = fileSystem.statPath(path)
  if (stat?.kind !== 'file' || stat.size > range.to - range.from) return false
  const copy = fileSystem.open(path, 'read')
  const original = fileSystem.open(joinPath(directory, range.name), 'read')
  try {
    const copied = new FileWindow(copy, stat.size)
    const wanted = new FileWindow(original, range.from + stat.size)
    for (let offset = 0; offset < stat.size; offset += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, stat.size - offset)
      const at = copied.view(offset, length)
      const from = wanted.view(range.from + offset, length)
      const piece = wanted.bytes.subarray(from, from + length)
      if (Buffer.compare(copied.bytes.subarray(at, at + length), piece) !== 0) return false
    }
    return true
  } finally {
    copy.close()
    original.close()
  }
}

function copyRange(
  context: StoreDirectory,
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

/**
 * The largest file number that names in lost/ mention: numbers are never used again.
 * @param next the number that the store would take
 */
export function largestLostNumber(context: StoreDirectory, next: number): number {
  const { fileSystem, directory } = context
  const lost = joinPath(directory, LOST_NAME)
  if (fileSystem.statPath(lost)?.kind !== 'directory') return 0
  let largest = 0
  for (const name of fileSystem.list(lost)) {
    const match = /^(?:MANIFEST-)?(\d{6,10})(?:\.vlog|\.sst)?@/.exec(name)
    const number = Number(match?.[1] ?? 0)
    if (mayBeGiven(number, next)) largest = Math.max(largest, number)
  }
  return largest
}
