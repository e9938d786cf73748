/**
 * The floor of `overwrite-steady`: what two threads reach that do nothing but write, give back space, and prove what
 * they copy. `node dist/bench/micro/floor.js 64KiB-uniform-1.3-ext4,4KiB-uniform-1.3 512MiB --warm`, one line for each
 * row and way; not a part of `npm run bench`.
 *
 * No store is behind it: an array says where each key's value lies, values are bare and aligned, nothing of it would
 * outlast the process. But bytes, files and syncs are those of a store: files of 64 MiB, each synced when it is full,
 * seven unsynced at most; holes where a newer value is durable (I12); copies synced before their victim goes; and the
 * same bound, target x live + 2 files, at which the writer (floor-writer.ts) waits for a worker
 * (floor-worker.ts).
 */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { HOLE_BYTES_MIN } from '../../lib/collector/plan/planning-rules.ts'
import { parseBytes } from '../harness/byte-sizes.ts'
import { createChooser } from '../harness/choose-key.ts'
import { DataSet } from '../harness/data-set.ts'
import { renderTable } from '../harness/markdown.ts'
import { LoopExt4 } from '../machine/loop-ext4.ts'
import { WarmMemory } from '../machine/warm-memory.ts'
import { nameRow, parseRow, type SteadyRow } from '../steady/rows.ts'
import { FloorWriter, type Way } from './floor-writer.ts'

const MIB = 1024 * 1024
const PASSES = 4
const SEED = 1

interface Measured {
  readonly perSecond: number
  readonly written: number
  readonly cpuUs: number
}

async function measure(
  row: SteadyRow,
  bytes: number,
  way: Way,
  directory: string,
): Promise<Measured> {
  const data = new DataSet(bytes, row.valueBytes, SEED)
  fs.mkdirSync(directory)
  const floor = new FloorWriter(directory, data, way, row.target ?? Number.POSITIVE_INFINITY)
  let loaded = 0
  await floor.put(
    data.entries,
    () => data.order[loaded++]!,
    () => 0,
  )
  await floor.synced()
  const count = PASSES * data.entries
  const choose = createChooser(row.distribution, data.entries, SEED)
  const writtenBefore = floor.writtenBytes
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  await floor.put(count, choose, (put) => 1 + Math.floor(put / data.entries))
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  const written = (floor.writtenBytes - writtenBefore) / (count * row.valueBytes)
  await floor.close()
  fs.rmSync(directory, { recursive: true })
  return { perSecond: count / seconds, written, cpuUs: (user + system) / count }
}

async function measureRow(
  row: SteadyRow,
  bytes: number,
  place: string,
  warm: WarmMemory | undefined,
): Promise<string[][]> {
  let off: number | undefined
  const lines: string[][] = []
  // Of smaller ones the store makes no holes either.
  const isPunched = row.valueBytes > HOLE_BYTES_MIN
  const ways: readonly Way[] = isPunched ? ['off', 'punch', 'copy'] : ['off', 'copy']
  for (const way of ways) {
    await warm?.recycle()
    const { perSecond, written, cpuUs } = await measure(row, bytes, way, path.join(place, 'floor'))
    off ??= perSecond
    const share = (perSecond / off).toFixed(2)
    const line = [
      nameRow(row),
      way,
      perSecond.toFixed(0),
      share,
      written.toFixed(2),
      cpuUs.toFixed(1),
    ]
    console.error(line.join('  '))
    lines.push(line)
  }
  return lines
}

async function main([rowNames = '', size = '512MiB', ...flags]: readonly string[]): Promise<void> {
  const rows = rowNames.split(',').map(parseRow)
  const bytes = parseBytes(size)
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'wisc-bench-floor-'))
  const warm = flags.includes('--warm') ? await WarmMemory.start() : undefined
  let loop: LoopExt4 | undefined
  try {
    const lines: string[][] = []
    for (const row of rows) {
      if (row.loop) loop ??= await LoopExt4.make(directory, (PASSES + 2) * bytes + 1024 * MIB)
      const place = row.loop ? loop!.directory : directory
      lines.push(...(await measureRow(row, bytes, place, warm)))
    }
    const head = ['row', 'way', 'overwrites/s', 'of off', 'written', 'processor, us']
    console.log(renderTable(head, lines))
  } finally {
    warm?.stop()
    loop?.remove()
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

await main(process.argv.slice(2))
