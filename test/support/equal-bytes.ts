/** Bytes are compared as bytes: element by element, as vitest does it, a few KiB take milliseconds. */
import { expect } from 'vitest'

expect.addEqualityTesters([
  (left, right) =>
    left instanceof Uint8Array && right instanceof Uint8Array
      ? Buffer.compare(left, right) === 0
      : undefined,
])
