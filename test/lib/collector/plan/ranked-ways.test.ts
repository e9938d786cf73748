/** Ways come out of their heap as a sort by what they free for what they cost would have them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  estimatePunch,
  isRewriteWorthIt,
  punchRate,
  rewriteRate,
  rewriteSums,
} from '#dist/lib/collector/plan/costs.js'
import type { PlannerOptions } from '#dist/lib/collector/plan/planning-rules.js'
import { RankedWays, type Way } from '#dist/lib/collector/plan/ranked-ways.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import { replayHint, testSeed } from '../../../support/random.ts'
import { drawnFiles, drawnOptions, EVERYTHING, fileOf, MIB } from './collectible-files.ts'

const seed = testSeed()

function inOrder(files: readonly CollectibleFile[], options: PlannerOptions): string[] {
  const ways = new RankedWays(files, options)
  for (const [index, file] of files.entries()) ways.add(file, index)
  const found: string[] = []
  for (let way = ways.at(0); way; way = ways.at(found.length)) found.push(nameOf(way))
  expect(ways.at(found.length)).toBeUndefined()
  // Whoever asks again is told the same.
  expect(found.map((_, rank) => nameOf(ways.at(rank)!))).toEqual(found)
  return found
}

function nameOf({ file, action }: Way): string {
  return `${action} ${file.number}`
}

function sorted(files: readonly CollectibleFile[], options: PlannerOptions): string[] {
  const ways = files.flatMap((file) => {
    const punch = estimatePunch(file, options)
    const sums = rewriteSums(file)
    return [
      ...(punch ? [{ file, action: 'punch' as const, rate: punchRate(file, punch, options) }] : []),
      ...(isRewriteWorthIt(sums, options)
        ? [{ file, action: 'rewrite' as const, rate: rewriteRate(sums) }]
        : []),
    ]
  })
  return ways.sort((left, right) => right.rate - left.rate).map(nameOf)
}

test(`best first, whatever the files (${replayHint(seed)})`, () => {
  const property = fc.property(drawnFiles(40), drawnOptions, (files, options) => {
    expect(inOrder(files, options)).toEqual(sorted(files, options))
  })
  fc.assert(property, { seed: seed | 0, numRuns: 300 })
})

test('for whoever collects for ever age counts, by its root; for a wish that is carried out now it does not', () => {
  // They free 3, 1 and 1/3 of what they copy.
  const young = fileOf(99, 64 * MIB, 16 * MIB)
  const old = fileOf(75, 64 * MIB, 32 * MIB)
  const oldest = fileOf(1, 64 * MIB, 48 * MIB)
  const order = (nextFileNumber?: number): string[] =>
    inOrder([young, old, oldest], { ...EVERYTHING, ...(nextFileNumber && { nextFileNumber }) })
  const byCost = ['rewrite 99', 'rewrite 75', 'rewrite 1']
  expect(order()).toEqual(byCost)
  // Nobody is older than the others, as after an open that has left numbers out.
  expect(order(1_000_000)).toEqual(byCost)
  // Ages of 1, 25 and 99.
  expect(order(100)).toEqual(['rewrite 75', 'rewrite 1', 'rewrite 99'])
})

test('of equals the oldest comes first, in whatever order they are given', () => {
  const files = [5, 2, 9, 1, 7].map((number) => fileOf(number, 64 * MIB, 32 * MIB))
  const ways = [1, 2, 5, 7, 9].map((number) => `rewrite ${number}`)
  expect(inOrder(files, EVERYTHING)).toEqual(ways)
})
