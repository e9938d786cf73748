/**
 * The walls of the house: each folder from the ground up, and what its files may import besides each other.
 *
 * A folder stands on folders above it in this list only, so that no two stand on each other, however many lie between.
 * What a folder does not need is not in its reach: the planner, which is pure, has no file in its own.
 */
import path from 'node:path'
import type { Source } from './sources.ts'

/** For those outside: whoever is inside imports the file that it means. */
const FACE = 'lib/index.ts'
/** The command, as users start it and as a test does: it is bundled, and has no sources of these names. */
const COMMAND = ['bin/wisc.ts', 'lib/bundle/wisc.ts']

const WALLS = `
lib/base
lib/base/files:         lib/base
lib/base/platform:      lib/base lib/base/files

lib/tree:               lib/base
lib/tree/ranges:        lib/base lib/tree
lib/tree/memtable:      lib/base lib/tree lib/tree/ranges
lib/tree/table:         lib/base lib/base/files lib/tree lib/tree/ranges
lib/tree/version:       lib/base lib/base/files lib/tree lib/tree/table
lib/tree/compaction:    lib/base lib/base/files lib/tree lib/tree/ranges lib/tree/memtable lib/tree/table
                        lib/tree/version

vlog:                   lib/base lib/base/files
vlog/log:               lib/base lib/base/files vlog
vlog/recovery:          lib/base lib/base/files vlog/log
vlog/relocation:        lib/base lib/base/files vlog
vlog/stream:            lib/base lib/base/files vlog
vlog/collect:           lib/base lib/base/files vlog vlog/log vlog/relocation
vlog/read:              lib/base lib/base/files vlog vlog/relocation vlog/stream

lib/contract:           lib/base lib/tree lib/tree/memtable vlog
lib/encodings:          lib/base lib/base/platform lib/contract
lib/jobs:               lib/base lib/base/files lib/base/platform lib/tree lib/tree/memtable lib/tree/compaction
                        vlog vlog/collect vlog/read vlog/relocation
lib/state:              lib/base lib/base/files lib/contract vlog vlog/read vlog/stream
                        lib/tree lib/tree/ranges lib/tree/memtable lib/tree/table lib/tree/version
                        lib/tree/compaction
lib/recovery:           lib/base lib/base/files lib/contract lib/state vlog vlog/log vlog/recovery vlog/stream
                        lib/tree lib/tree/memtable lib/tree/version
lib/background:         lib/base lib/base/files lib/contract lib/jobs lib/state vlog/log vlog/read
                        lib/tree lib/tree/version lib/tree/compaction
lib/writes:             lib/base lib/base/files lib/contract lib/state vlog vlog/log vlog/stream
                        lib/tree lib/tree/memtable lib/tree/version
lib/space:              lib/base lib/base/files lib/contract lib/state
                        lib/tree lib/tree/ranges lib/tree/memtable lib/tree/table lib/tree/version
lib/reads:              lib/base lib/base/files lib/contract lib/state lib/space lib/tree lib/tree/version
                        vlog vlog/read
lib/collector/plan:     lib/base lib/contract lib/space lib/tree/version vlog/relocation
lib/collector/pace:     lib/base lib/contract lib/jobs lib/space lib/collector/plan vlog/log
lib/collector/act:      lib/base lib/base/files lib/contract lib/jobs lib/state lib/background lib/space
                        lib/collector/plan lib/collector/pace lib/tree lib/tree/version vlog/log vlog/read
                        vlog/collect
lib/collector:          lib/base lib/contract lib/jobs lib/space lib/reads
                        lib/collector/plan lib/collector/pace lib/collector/act
lib/engine:             lib/base lib/base/files lib/base/platform lib/contract lib/jobs lib/state lib/recovery
                        lib/background lib/writes lib/space lib/reads lib/collector/plan lib/collector
                        lib/tree/version vlog/log vlog/recovery vlog/read
lib/follow:             lib/base lib/base/files lib/contract lib/state lib/recovery lib/space lib/reads lib/engine
                        lib/tree lib/tree/ranges lib/tree/memtable lib/tree/version vlog/read
lib/reports:            lib/base lib/base/files lib/contract lib/state lib/space lib/reads lib/engine
                        lib/tree lib/tree/table lib/tree/version vlog/log vlog/relocation vlog/stream
lib/control:            lib/base lib/base/platform lib/contract lib/state
lib/telemetry:          lib/contract
lib/transactions:       lib/base lib/contract lib/state lib/writes lib/reads lib/engine lib/tree lib/tree/ranges
                        lib/tree/version vlog
lib/store:              lib/base lib/base/files lib/base/platform lib/contract lib/encodings lib/jobs lib/state
                        lib/recovery lib/writes lib/reads lib/engine lib/follow lib/transactions lib/reports lib/control
                        lib/telemetry lib/tree/version vlog vlog/read
lib:                    lib/base lib/contract lib/store
lib/level:              lib/index.ts
lib/lazy:               lib/index.ts
lib/keyv:               lib/index.ts lib/lazy
lib/unstorage:          lib/index.ts lib/lazy

lib/inspect/dump:       lib/base lib/base/files lib/base/platform vlog vlog/log vlog/relocation vlog/stream
                        lib/tree lib/tree/ranges lib/tree/table lib/tree/version
lib/inspect:            lib/base lib/base/files lib/base/platform lib/contract lib/recovery lib/reads lib/inspect/dump
                        lib/tree lib/tree/version lib/tree/compaction
lib/inspect/collection: lib/base lib/base/files lib/contract lib/jobs lib/state lib/space lib/reads
                        lib/collector/plan lib/collector lib/engine lib/reports lib/control lib/store
                        lib/tree lib/tree/version lib/tree/compaction vlog/collect vlog/stream
lib/inspect/owner:      lib/base lib/base/files lib/base/platform lib/contract lib/reads lib/control lib/store
lib/inspect/salvage:    lib/base lib/base/files lib/base/platform lib/contract lib/recovery lib/store lib/inspect/dump
                        lib/tree lib/tree/ranges lib/tree/table lib/tree/version vlog
                        vlog/log vlog/relocation vlog/stream
tools/terminal:         lib/index.ts lib/inspect/collection
tools/verb:             lib/index.ts lib/inspect lib/inspect/collection lib/inspect/owner tools/terminal
tools/report:           lib/index.ts lib/inspect lib/inspect/collection tools/terminal tools/verb
tools/commands:         lib/index.ts lib/inspect lib/inspect/dump lib/inspect/collection lib/inspect/owner
                        lib/inspect/salvage tools/terminal tools/verb tools/report
tools:                  tools/terminal tools/verb tools/commands

bench/machine
bench/harness
bench/engines:          lib/index.ts bench/harness
bench/throughput:       bench/harness bench/engines
bench/special/follow:   lib/index.ts bench/harness
bench/special:          lib/index.ts bin/wisc.ts bench/harness bench/engines bench/throughput bench/special/follow
bench/steady:           lib/index.ts bench/harness bench/engines
bench/grow:             lib/index.ts bench/harness bench/engines
bench/report:           bench/harness bench/engines bench/throughput bench/special bench/steady bench/grow
bench:                  bench/machine bench/harness bench/engines bench/throughput bench/special bench/steady bench/grow
                        bench/report
bench/micro:            lib/index.ts lib/level lib/base lib/base/files lib/base/platform lib/state lib/space
                        lib/collector/plan lib/tree lib/tree/memtable lib/tree/table lib/tree/version
                        lib/tree/compaction vlog vlog/log vlog/relocation vlog/collect bench/machine bench/harness
                        bench/steady lib/contract lib/engine lib/store

scripts
`

/** Of each folder, in order, the folders and single files that it may import. */
const MAY_IMPORT: ReadonlyMap<string, readonly string[]> = new Map(
  [...WALLS.matchAll(/^([\w/]+)(:(?: .*\n)(?: +.*\n)*)?/gm)].map(([, folder, names = '']) => [
    folder!,
    names.match(/[\w/.]+/g) ?? [],
  ]),
)
const FOLDERS = [...MAY_IMPORT.keys()]

/** Tests may import everything, and lie where they like. */
function isTest(name: string): boolean {
  return name.startsWith('test/')
}

function isFile(name: string): boolean {
  return name.endsWith('.ts')
}

function mayImport(from: string, target: string): boolean {
  if (isTest(from)) return true
  const folder = path.posix.dirname(from)
  const allowed = MAY_IMPORT.get(folder) ?? []
  if (allowed.includes(target)) return true
  const to = path.posix.dirname(target)
  return target !== FACE && (folder === to || allowed.includes(to))
}

/** What somebody does who has run into a wall. */
function wall(from: string, target: string, isThere: boolean): string {
  if (!isThere) return `${from} imports ${target}, which is not there`
  const [folder, to] = [path.posix.dirname(from), path.posix.dirname(target)]
  const advice =
    FOLDERS.indexOf(to) > FOLDERS.indexOf(folder)
      ? `${to} lies above ${folder}: move what both need down, or let the caller hand it in`
      : `if ${folder} really stands on ${to}, say so in test/support/walls.ts`
  return `${from} must not import ${target} (${advice})`
}

/** Files in no folder of the house, imports through its walls, and of what is not there: it may still be compiled. */
export function brokenWalls(sources: readonly Source[]): string[] {
  const names = new Set(sources.map(({ name }) => name))
  for (const name of COMMAND) names.add(name)
  return sources.flatMap(({ name, imports }) => {
    const isHoused = isTest(name) || MAY_IMPORT.has(path.posix.dirname(name))
    const outside = isHoused ? [] : [`${name}: name its folder in test/support/walls.ts`]
    const through = imports.filter((target) => !names.has(target) || !mayImport(name, target))
    return [...outside, ...through.map((target) => wall(name, target, names.has(target)))]
  })
}

/** Folders that stand on one that is listed behind them: the way to a circle. */
export function upwardWalls(): string[] {
  return FOLDERS.flatMap((folder, index) =>
    MAY_IMPORT.get(folder)!
      .filter((below) => !isFile(below) && !FOLDERS.slice(0, index).includes(below))
      .map((below) => `${folder} must not stand on ${below}, which is not listed before it`),
  )
}

/** What a folder may import and does not. */
export function idleWalls(sources: readonly Source[]): string[] {
  const used = new Set(
    sources.flatMap(({ name, imports }) =>
      imports.flatMap((target) =>
        [target, path.posix.dirname(target)].map((to) => `${path.posix.dirname(name)} > ${to}`),
      ),
    ),
  )
  return FOLDERS.flatMap((folder) =>
    MAY_IMPORT.get(folder)!
      .filter((below) => !used.has(`${folder} > ${below}`))
      .map((below) => `${folder} does not import ${below}: take it out of test/support/walls.ts`),
  )
}
