/**
 * Keys as strings, in order, in pieces of bounded length: one that comes in between moves few others, where an array
 * of a million would be moved each time.
 */

const PIECE_KEYS_MAX = 512

export class SortedKeys {
  /** In order, none empty. */
  readonly #pieces: string[][] = []

  /** @param keys in any order */
  constructor(keys: Iterable<string> = []) {
    const sorted = [...keys].sort(compareKeys)
    const step = PIECE_KEYS_MAX / 2
    for (let at = 0; at < sorted.length; at += step) this.#pieces.push(sorted.slice(at, at + step))
  }

  get first(): string | undefined {
    return this.#pieces[0]?.[0]
  }

  get last(): string | undefined {
    return this.#pieces.at(-1)?.at(-1)
  }

  add(key: string): void {
    const at = Math.max(0, this.#pieceOf(key))
    const piece = this.#pieces[at]
    if (piece === undefined) {
      this.#pieces.push([key])
      return
    }
    const index = firstAtLeast(piece, key)
    if (piece[index] === key) return
    piece.splice(index, 0, key)
    if (piece.length > PIECE_KEYS_MAX)
      this.#pieces.splice(at + 1, 0, piece.splice(PIECE_KEYS_MAX / 2))
  }

  delete(key: string): void {
    this.deleteRange(key, `${key}\0`)
  }

  /** @param end exclusive; undefined: there is none @returns those that were in it, in order */
  deleteRange(start: string, end: string | undefined): string[] {
    const deleted: string[] = []
    let at = Math.max(0, this.#pieceOf(start))
    while (at < this.#pieces.length) {
      const piece = this.#pieces[at]!
      const from = firstAtLeast(piece, start)
      const to = end === undefined ? piece.length : firstAtLeast(piece, end)
      if (from < to) for (const key of piece.splice(from, to - from)) deleted.push(key)
      if (from < piece.length) break
      if (piece.length === 0) this.#pieces.splice(at, 1)
      else at++
    }
    return deleted
  }

  /** The first one behind a key, or at it if that is included. */
  next(key: string, includes: boolean): string | undefined {
    const at = Math.max(0, this.#pieceOf(key))
    const piece = this.#pieces[at]
    if (piece === undefined) return undefined
    const index = firstAtLeast(piece, key)
    return piece[!includes && piece[index] === key ? index + 1 : index] ?? this.#pieces[at + 1]?.[0]
  }

  /** The last one before a key, or at it if that is included. */
  previous(key: string, includes: boolean): string | undefined {
    const at = this.#pieceOf(key)
    const piece = this.#pieces[at]
    if (piece === undefined) return undefined
    const index = firstAtLeast(piece, key)
    return (
      piece[includes && piece[index] === key ? index : index - 1] ?? this.#pieces[at - 1]?.at(-1)
    )
  }

  /** Index of the last piece that does not begin behind a key; -1 if there is none. */
  #pieceOf(key: string): number {
    let low = 0
    let high = this.#pieces.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#pieces[middle]![0]! <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

export function compareKeys(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** Index of the first of ascending keys that is not below one. */
export function firstAtLeast(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
