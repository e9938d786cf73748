/**
 * Micro-benchmark of caches: written as fast as they take it, in caches of several sizes. How much of its bytes each
 * holds of what was written last, what it writes for each byte, and how long writers stand. Not a part of
 * `npm run bench`: `node dist/bench/micro/cache.js [VALUE SECONDS WRITERS [MAXBYTES...]]`, such as
 * `4KiB 4 16 16MiB 256MiB`.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { joinPath } from '../../lib/base/files/file-names.ts'
import { open, type Store } from '../../lib/index.ts'
import { formatBytes, parseBytes } from '../harness/byte-sizes.ts'
import { formatRate, renderTable } from '../harness/markdown.ts'

const [valueText = '4KiB', seconds = '4', writers = '16', ...sizeTexts] = process.argv.slice(2)
const VALUE_BYTES = parseBytes(valueText)
const SIZES = (sizeTexts.length > 0 ? sizeTexts : ['16MiB', '64MiB', '256MiB']).map(parseBytes)
const PUTS_PER_LOOK = 1000

/** Shares of the bound, looked at again and again once something was evicted. */
interface Filled {
  readonly disk: number[]
  readonly values: number[]
}

const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-cache-'))
try {
  const rows: string[][] = []
  for (const maxBytes of SIZES) rows.push(await fill(maxBytes))
  const titles = [
    'cache',
    'puts/s',
    'on disk',
    'at most',
    'values',
    'written',
    'stood',
    'longest put',
  ]
  console.log(renderTable(titles, rows))
} finally {
  rmSync(directory, { recursive: true })
}

async function fill(maxBytes: number): Promise<string[]> {
  const store = await open(joinPath(directory, String(maxBytes)), { cache: { maxBytes } })
  const filled: Filled = { disk: [], values: [] }
  const value = randomBytes(VALUE_BYTES)
  const end = performance.now() + Number(seconds) * 1000
  let [puts, longestMs] = [0, 0]
  const write = async (): Promise<void> => {
    for (let now = performance.now(); now < end; ) {
      await store.put(`key${String(puts++).padStart(13, '0')}`, value)
      const before = now
      now = performance.now()
      longestMs = Math.max(longestMs, now - before)
      if (puts % PUTS_PER_LOOK === 0) look(store, puts, maxBytes, filled)
    }
  }
  await Promise.all(Array.from({ length: Number(writers) }, write))
  const { writeAmplification, stalls } = store.stats()
  await store.close()
  return [
    formatBytes(maxBytes),
    formatRate(puts / Number(seconds)),
    mean(filled.disk).toFixed(3),
    Math.max(0, ...filled.disk).toFixed(3),
    mean(filled.values).toFixed(3),
    writeAmplification.toFixed(3),
    `${stalls.count}, ${stalls.ms.toFixed(0)} ms`,
    `${longestMs.toFixed(0)} ms`,
  ]
}

/** Each put has a sequence: those from the bound on are there. */
function look(store: Store, puts: number, maxBytes: number, { disk, values }: Filled): void {
  const { diskBytes, evicted } = store.stats()
  if (evicted.belowSequence === 0) return
  disk.push(diskBytes / maxBytes)
  values.push(((puts - evicted.belowSequence) * (VALUE_BYTES + 16)) / maxBytes)
}

function mean(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length)
}
