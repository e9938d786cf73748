/** The clock by which values expire: milliseconds since 1970. It may be set, forwards and back, at any time. */
export function wallTime(): number {
  return Date.now()
}
