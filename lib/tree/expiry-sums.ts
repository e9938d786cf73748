/**
 * Expiry of the entries of a table: sums by spans of time. So it is known without a walk how much of the table has
 * expired by any moment, and when there is more.
 *
 * Spans are as long as each other, a power of two of milliseconds: the shortest of which there are few enough. Each is
 * named by the largest expiry in it, so its sums are exact from that moment on, and the last one tells when all of the
 * table that expires at all has done so.
 */
import { GrowingBytes } from '../base/growing-bytes.ts'
import { VarintReader } from '../base/varint.ts'

/** With more spans they are joined. */
const SPANS_MAX = 32

/** Sums over puts. */
export interface ExpirySum {
  /** From this moment on all of them have expired: milliseconds since 1970. */
  expiresAt: number
  puts: number
  /** Of their keys and values, inline ones too. */
  bytes: number
  /** Bytes of the records that they point to. */
  pointedBytes: number
}

export const NO_EXPIRIES: readonly Readonly<ExpirySum>[] = []

/** Sums that grow entry by entry, in any order. */
export class ExpirySums {
  #spanMs = 1
  /** By the number of the span. */
  #sums: Map<number, ExpirySum> = new Map()

  add(expiresAt: number, bytes: number, pointedBytes: number): void {
    this.#addTo(this.#sums, expiresAt, 1, bytes, pointedBytes)
    while (this.#sums.size > SPANS_MAX) this.#join()
  }

  /** In order of time. */
  list(): readonly Readonly<ExpirySum>[] {
    return [...this.#sums.values()].sort((left, right) => left.expiresAt - right.expiresAt)
  }

  #join(): void {
    const joined: Map<number, ExpirySum> = new Map()
    this.#spanMs *= 2
    for (const { expiresAt, puts, bytes, pointedBytes } of this.#sums.values())
      this.#addTo(joined, expiresAt, puts, bytes, pointedBytes)
    this.#sums = joined
  }

  #addTo(
    sums: Map<number, ExpirySum>,
    expiresAt: number,
    puts: number,
    bytes: number,
    pointedBytes: number,
  ): void {
    const span = Math.floor(expiresAt / this.#spanMs)
    const sum = sums.get(span)
    if (sum === undefined) {
      sums.set(span, { expiresAt, puts, bytes, pointedBytes })
      return
    }
    if (expiresAt > sum.expiresAt) sum.expiresAt = expiresAt
    sum.puts += puts
    sum.bytes += bytes
    sum.pointedBytes += pointedBytes
  }
}

/** What has expired by a moment. */
export function expiredBy(
  sums: readonly Readonly<ExpirySum>[],
  moment: number,
): Omit<ExpirySum, 'expiresAt'> {
  let [puts, bytes, pointedBytes] = [0, 0, 0]
  for (const sum of sums) {
    if (sum.expiresAt > moment) break
    puts += sum.puts
    bytes += sum.bytes
    pointedBytes += sum.pointedBytes
  }
  return { puts, bytes, pointedBytes }
}

/** When there is more of it. @returns Infinity if there is not */
export function nextExpiry(sums: readonly Readonly<ExpirySum>[], moment: number): number {
  return sums.find(({ expiresAt }) => expiresAt > moment)?.expiresAt ?? Number.POSITIVE_INFINITY
}

export function encodeExpiries(sums: readonly Readonly<ExpirySum>[]): Uint8Array {
  const content = new GrowingBytes(32 * sums.length)
  for (const { expiresAt, puts, bytes, pointedBytes } of sums) {
    for (const value of [expiresAt, puts, bytes, pointedBytes]) content.appendVarint(value)
  }
  return content.bytes.subarray(0, content.length)
}

/** @returns undefined if they are malformed */
export function decodeExpiries(content: Uint8Array): readonly Readonly<ExpirySum>[] | undefined {
  const reader = new VarintReader(content)
  const sums: ExpirySum[] = []
  let last = 0
  while (reader.at < reader.end) {
    const [expiresAt, puts] = [reader.next(), reader.next()]
    const sum = { expiresAt, puts, bytes: reader.next(), pointedBytes: reader.next() }
    if (reader.failed || expiresAt <= last || puts === 0) return undefined
    sums.push(sum)
    last = expiresAt
  }
  return sums
}

/** Holds entries against what is said of them: takes each off, until nothing is left. */
export class ExpiryCheck {
  readonly #said: readonly Readonly<ExpirySum>[]
  readonly #left: ExpirySum[]
  #isBehindAll = false

  constructor(said: readonly Readonly<ExpirySum>[]) {
    this.#said = said
    this.#left = said.map((sum) => ({ ...sum }))
  }

  take(expiresAt: number, bytes: number, pointedBytes: number): void {
    const span = this.#said.findIndex((said) => expiresAt <= said.expiresAt)
    const left = this.#left[span]
    if (left === undefined) {
      this.#isBehindAll = true
      return
    }
    left.puts--
    left.bytes -= bytes
    left.pointedBytes -= pointedBytes
    // The one that is named must be among them.
    if (expiresAt === this.#said[span]!.expiresAt) left.expiresAt = 0
  }

  get fits(): boolean {
    const isLeft = (sum: ExpirySum): boolean => Object.values(sum).some((value) => value !== 0)
    return !this.#isBehindAll && !this.#left.some(isLeft)
  }
}
