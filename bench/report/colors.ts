/** The colors of lines and bars: variables, so that a picture follows light and dark. */

/** Told apart by those who do not see all colors, too: [in light, in dark]. */
const COLORS: Readonly<Record<string, readonly [string, string]>> = {
  raw: ['#777777', '#999999'],
  wisc: ['#0b62c4', '#5aa9ff'],
  'wisc-inline': ['#5b2aa8', '#b08cff'],
  'wisc-separated': ['#007a87', '#37c5d4'],
  'wisc-lazy': ['#8a4fd0', '#cdb5ff'],
  'wisc-tiered': ['#b07be6', '#e2d3ff'],
  'wisc-off': ['#777777', '#999999'],
  'classic-level': ['#b35900', '#ff9e4a'],
  'lmdb-nosync': ['#a8123e', '#ff6f91'],
  lmdb: ['#d9648a', '#ffb3c6'],
  rocksdb: ['#5d6b00', '#c4d600'],
  'rocksdb-blob': ['#2e7d32', '#7ad67f'],
  'rocksdb-nxt': ['#9aa23a', '#e6ef7a'],
  sqlite: ['#5c4a8a', '#c9b8f5'],
  files: ['#6b4f3a', '#d8b8a0'],
  cacache: ['#8a6d00', '#f0cf4f'],
  // Workloads, where they share a picture.
  fillrandom: ['#0b62c4', '#5aa9ff'],
  overwrite: ['#a8123e', '#ff6f91'],
  'readrandom-sync': ['#b35900', '#ff9e4a'],
  ranges: ['#2e7d32', '#7ad67f'],
  scan: ['#5b2aa8', '#b08cff'],
  readrandom: ['#5d6b00', '#c4d600'],
  'cold-get-16': ['#0b62c4', '#5aa9ff'],
  'fillsync-16': ['#5d6b00', '#c4d600'],
}
/** Of what nobody has given a color. */
const OTHER: readonly [string, string] = ['#444444', '#bbbbbb']

/** Rules that define a variable for each of these names, and for all that have a color. */
export function colorRules(names: readonly string[]): string {
  const all = [...new Set([...Object.keys(COLORS), ...names])]
  const of = (which: 0 | 1): string =>
    all.map((name) => `--${name}: ${(COLORS[name] ?? OTHER)[which]};`).join(' ')
  return `:root { color-scheme: light dark; ${of(0)} }
@media (prefers-color-scheme: dark) { :root { ${of(1)} } }`
}
