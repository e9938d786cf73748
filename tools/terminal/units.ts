/** Numbers for people: sizes in binary units, counts in groups of three digits, ratios. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const UNIT = 1024

/** A size such as `12.3 MiB`, or `12897484 B` if the exact figure is wanted. */
export function formatBytes(bytes: number, exact: boolean): string {
  if (exact || bytes < UNIT) return `${bytes} B`
  let value = bytes
  let unit = 0
  // 1023.95 KiB would be shown as 1024.0 KiB.
  while (unit < UNITS.length - 1 && value >= UNIT - 0.05) {
    value /= UNIT
    unit++
  }
  return `${value.toFixed(1)} ${UNITS[unit]}`
}

/** A count such as `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 table`, `2 tables`. */
export function formatUnits(count: number, unit: string): string {
  return `${formatCount(count)} ${unit}${count === 1 ? '' : 's'}`
}
