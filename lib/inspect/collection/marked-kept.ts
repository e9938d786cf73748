/** The yield of a punch when the store has been flushed and compacted: marked by the entries that are kept then. */

import { markSlices } from '../../../vlog/collect/mark.ts'
import { emptyVictimRecord } from '../../../vlog/collect/victim-page.ts'
import type { VictimRecords } from '../../../vlog/collect/victim-records.ts'
import type { SegmentNumber } from '../../base/ids.ts'
import { withMark } from '../../collector/exact-plan.ts'
import { estimatePunch } from '../../collector/plan/costs.ts'
import type { PlanningRules } from '../../collector/plan/planning-rules.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { type CollectibleFile, heldSegments } from '../../space/figures.ts'
import type { ExposedTree } from './exposed-store.ts'
import { interruptibly } from './interruptible.ts'
import { fileToMark } from './marked-records.ts'

/** The file with its holes: by guess if there are too many records to know their places. */
export async function markKept(
  engine: ReadingEngine,
  file: CollectibleFile,
  tree: ExposedTree,
  rules: PlanningRules,
  signal: AbortSignal,
): Promise<CollectibleFile> {
  const kept = heldSegments(file).map((segment) => tree.bySegment.get(segment))
  if (kept.some((records) => records !== undefined && records.places === undefined)) {
    const guessed = estimatePunch(file, { ...rules, goalDiskBytes: 0 })
    const { holes, bytesFreed: holeBytes } = guessed ?? { holes: 0, bytesFreed: 0 }
    return { ...file, marked: { holes, holeBytes } }
  }
  const { context } = engine
  const victim = fileToMark(engine, file.number)
  const input = { ...context, files: [victim], minimumHoleBytes: rules.minimumHoleBytes }
  const { files } = await interruptibly(markSlices(input, marksOf(tree), context), signal)
  return withMark(file, files[0]!)
}

/** Marks what is kept of the records of a file. */
function marksOf(tree: ExposedTree): (records: VictimRecords) => Generator<number, void> {
  return function* mark(records) {
    const record = emptyVictimRecord()
    const isKept = (segment: SegmentNumber, offset: number): boolean => {
      const places = tree.bySegment.get(segment)?.places
      return places !== undefined && holds(places, offset)
    }
    for (let position = 0; position < records.count; position++) {
      records.loadAt(position, record)
      const { segment, offset, place, length } = record
      const { number } = records.files[record.file]!
      if (isKept(segment, offset)) records.mark(position, segment, offset, length)
      else if (isKept(number, place)) records.mark(position, number, place, length)
      if (position % 4096 === 4095) yield 0
    }
  }
}

/** @param places ascending */
function holds(places: readonly number[], place: number): boolean {
  let [from, to] = [0, places.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (places[middle]! < place) from = middle + 1
    else to = middle
  }
  return places[from] === place
}
