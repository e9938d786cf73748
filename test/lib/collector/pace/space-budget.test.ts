/**
 * The budget of space: every interleaving of a small store. Writers overwrite, a rewrite runs step by step, its victims
 * go, looks measure now and act later, readers pin, the collector pauses, rewrites fail: in each state that can be
 * reached the store is within its bound, but for what was let go because nothing could come back, and from each
 * everybody can go on.
 */
import { expect, test } from 'vitest'
import {
  type Budget,
  type BudgetEvent,
  budgetAfter,
  mayGo,
  RELEASED,
  roomOf,
  takenOnDisk,
} from '#dist/lib/collector/pace/space-budget.js'

/** A segment, and with that a victim; what lives of it; the bound: all in units. */
const VICTIM = 4
const OUTPUT = 2
const FREED = VICTIM - OUTPUT
const LIMIT = 2 * VICTIM
const START = LIMIT - VICTIM
const LET_GO = 1
/** Groups: the last one is more than ever fits. */
const GROUPS = [1, 3, LIMIT + 1]
/** Nothing is written above it: the search has an end. */
const DISK_MAX = LIMIT + 2

interface Measured {
  readonly takenBytes: number
  readonly disk: number
  readonly garbage: number
  readonly isRunning: boolean
  readonly isUnlinking: boolean
  readonly isPinned: boolean
  readonly roomBytes: number
  /** Something but a write has happened since. */
  readonly isOutdated: boolean
}

interface World {
  readonly budget: Budget
  readonly disk: number
  /** What a group that was admitted has still to write; no other one is admitted meanwhile. */
  readonly writing: number
  /** What no entry points to: a rewrite takes FREED of it at a time. */
  readonly garbage: number
  /** What the rewrite that runs has still to write. */
  readonly unwritten: number | undefined
  readonly isUnlinking: boolean
  readonly isPinned: boolean
  readonly isPaused: boolean
  readonly look: Measured | undefined
  /** How far above the bound the store may be: what was let go, or written while the collector was paused. */
  readonly excused: number
  readonly failures: number
}

type After = typeof budgetAfter

interface Rules {
  readonly after: After
  /** For machines that are broken on purpose. */
  readonly mayGo: typeof mayGo
}

const RULES: Rules = { after: budgetAfter, mayGo }

const EMPTY: World = {
  budget: RELEASED,
  disk: 0,
  writing: 0,
  garbage: 0,
  unwritten: undefined,
  isUnlinking: false,
  isPinned: false,
  isPaused: false,
  look: undefined,
  excused: 0,
  failures: 0,
}

class Violation extends Error {}

/** Only changes of what was taken say anything: states that differ in nothing else are one. */
function normal(world: World): World {
  const { takenBytes, endBytes } = world.budget
  const budget = { ...world.budget, takenBytes: 0, endBytes: endBytes - takenBytes }
  const look = world.look && { ...world.look, takenBytes: world.look.takenBytes - takenBytes }
  // What the store has come back from is excused no more; the room of the next rewrite may have been used up, too.
  const over = Math.max(0, world.disk + world.writing + (world.unwritten ?? OUTPUT) - LIMIT)
  return { ...world, budget, look, excused: Math.min(world.excused, over) }
}

function told(world: World, event: BudgetEvent, { after }: Rules): World {
  return { ...world, budget: after(world.budget, event) }
}

/** Somebody looks anew because of it. */
function outdated(world: World): World {
  return { ...world, look: world.look && { ...world.look, isOutdated: true } }
}

function canRewrite({ garbage, isPinned }: Pick<World, 'garbage' | 'isPinned'>): boolean {
  return garbage >= FREED && !isPinned
}

// What writers do.

function* writes(world: World, rules: Rules): Generator<World> {
  if (world.writing > 0) return
  for (const bytes of GROUPS) {
    if (world.disk + bytes > DISK_MAX || !rules.mayGo(world.budget, bytes)) continue
    const { budget } = world
    const isExcused = budget.isReleased || bytes > roomOf(budget)
    const excused = world.excused + (isExcused ? bytes : 0)
    yield told({ ...world, writing: bytes, excused }, { kind: 'admitted', bytes }, rules)
  }
}

// What the store does by itself.

function* works(world: World, rules: Rules): Generator<World> {
  const { unwritten, look, writing } = world
  if (writing > 0) {
    const { disk, garbage } = world
    const written = { ...world, writing: 0, disk: disk + writing, garbage: garbage + writing }
    yield told(written, { kind: 'written' }, rules)
  }
  if (look === undefined && !world.isPaused) yield measured(world)
  if (look !== undefined) yield acted({ ...world, look: undefined }, look, rules)
  if (unwritten !== undefined && unwritten > 0) {
    const left = unwritten - 1
    const wrote = { ...world, disk: world.disk + 1, unwritten: left }
    yield told(wrote, { kind: 'progress', left: left / OUTPUT }, rules)
  }
  if (unwritten === 0) {
    const ended = { ...world, unwritten: undefined, isUnlinking: true }
    yield outdated(ends(ended, 0, false, rules))
  }
  if (world.isUnlinking) {
    const gone = {
      ...world,
      isUnlinking: false,
      disk: world.disk - VICTIM,
      garbage: world.garbage - FREED,
    }
    yield outdated(told(gone, { kind: 'reclaimed', bytes: VICTIM }, rules))
  }
}

function ends(world: World, unusedBytes: number, hasFailed: boolean, rules: Rules): World {
  return told(world, { kind: 'rewritten', unusedBytes, hasFailed }, rules)
}

function measured(world: World): World {
  const { budget, disk, garbage, unwritten, isUnlinking, isPinned } = world
  const look = {
    takenBytes: takenOnDisk(budget),
    disk,
    garbage,
    isPinned,
    isUnlinking,
    isRunning: unwritten !== undefined,
    roomBytes: LIMIT - disk - (unwritten ?? 0),
    isOutdated: false,
  }
  return { ...world, look }
}

function acted(world: World, look: Measured, rules: Rules): World {
  if (world.isPaused) return world
  const isBusy = world.unwritten !== undefined
  const isDue = canRewrite(look) && !look.isRunning && !look.isUnlinking && look.disk > START
  const hasRoom = look.roomBytes >= OUTPUT
  let after = world
  // What has begun meanwhile keeps it from beginning.
  if (isDue && !isBusy && !world.isUnlinking && !world.isPinned) {
    if (!hasRoom && world.excused === 0) throw new Violation('a rewrite begins without room')
    after = { ...after, unwritten: OUTPUT, excused: world.excused + (hasRoom ? 0 : OUTPUT) }
    after = told(after, { kind: 'rewriting', bytes: OUTPUT }, rules)
  }
  const mayComeBack = after.unwritten !== undefined || look.isUnlinking || look.isOutdated
  const isTrue = after.unwritten !== undefined || world.isUnlinking || canRewrite(world)
  const isHigh = world.disk > START
  const { takenBytes, roomBytes, isUnlinking } = look
  const event = { kind: 'looked', takenBytes, roomBytes, isUnlinking, mayComeBack } as const
  after = told(after, { ...event, rewriteBytes: OUTPUT, letGoBytes: LET_GO }, rules)
  if (after.budget.letGoBytes > 0 && isTrue && isHigh) {
    throw new Violation('writers are let go while something can come back')
  }
  return after
}

// What happens to it.

function* happenings(world: World, rules: Rules): Generator<World> {
  const { unwritten } = world
  yield outdated({ ...world, isPinned: !world.isPinned })
  if (world.isPaused) yield { ...world, isPaused: false }
  else yield told({ ...world, isPaused: true }, { kind: 'released' }, rules)
  if (unwritten !== undefined && world.failures === 0) {
    const disk = world.disk - (OUTPUT - unwritten)
    const failed = { ...world, disk, unwritten: undefined, failures: 1 }
    yield outdated(ends(failed, OUTPUT, true, rules))
  }
}

interface Node {
  readonly world: World
  /** By what the store does by itself. */
  readonly works: Set<string>
}

/** All states that can be reached. @throws Violation */
function explored(rules: Rules = RULES): Map<string, Node> {
  const nodes = new Map<string, Node>()
  const open: World[] = [normal(EMPTY)]
  for (let next = 0; next < open.length; next++) {
    const world = open[next]!
    const key = JSON.stringify(world)
    if (nodes.has(key)) continue
    const { disk, excused } = world
    if (disk > LIMIT + excused) throw new Violation(`above the bound: ${key}`)
    const worked = [...works(world, rules)].map(normal)
    const written = [...writes(world, rules)].map(normal)
    nodes.set(key, {
      world,
      works: new Set(worked.map((next) => JSON.stringify(next))),
    })
    open.push(...worked, ...written, ...[...happenings(world, rules)].map(normal))
  }
  return nodes
}

/** States from which, whatever the group, the store alone never comes to one in which it may be written. */
function stuck(nodes: ReadonlyMap<string, Node>, bytes: number, rules: Rules = RULES): World[] {
  const before = new Map<string, string[]>()
  const good: string[] = []
  for (const [key, { world, works: nexts }] of nodes) {
    if (world.writing === 0 && rules.mayGo(world.budget, bytes)) good.push(key)
    for (const next of nexts) before.set(next, [...(before.get(next) ?? []), key])
  }
  const reached = new Set<string>()
  for (let key = good.pop(); key !== undefined; key = good.pop()) {
    if (reached.has(key)) continue
    reached.add(key)
    good.push(...(before.get(key) ?? []))
  }
  return [...nodes].filter(([key]) => !reached.has(key)).map(([, { world }]) => world)
}

test('in each state the bound holds, and from each everybody can go on', () => {
  const nodes = explored()
  expect(nodes.size).toBeGreaterThan(1000)
  for (const bytes of GROUPS) expect(stuck(nodes, bytes)).toEqual([])
  console.info(`${nodes.size} states`)
})

const BROKEN: readonly [string, After][] = [
  [
    'what was taken since a look had measured is forgotten',
    (budget, event) =>
      budgetAfter(
        budget,
        event.kind === 'looked' ? { ...event, takenBytes: budget.takenBytes } : event,
      ),
  ],
  [
    'what is being written counts as on disk',
    (budget, event) => ({ ...budgetAfter(budget, event), writingBytes: 0 }),
  ],
  [
    'nothing is kept for the next rewrite',
    (budget, event) =>
      budgetAfter(budget, event.kind === 'looked' ? { ...event, rewriteBytes: 0 } : event),
  ],
  [
    'nothing is kept after a rewrite that has failed',
    (budget, event) =>
      budgetAfter(budget, event.kind === 'rewritten' ? { ...event, hasFailed: false } : event),
  ],
  [
    'the output of a rewrite is not taken before it is written',
    (budget, event) =>
      budgetAfter(budget, event.kind === 'rewriting' ? { ...event, bytes: 0 } : event),
  ],
  [
    'what comes back counts before the victims are gone',
    (budget, event) => {
      const next = budgetAfter(budget, event)
      if (event.kind !== 'rewritten' || event.hasFailed) return next
      return budgetAfter(next, { kind: 'reclaimed', bytes: VICTIM })
    },
  ],
]

test.each(BROKEN)('the search finds it if %s', (_, after) => {
  expect(() => explored({ ...RULES, after })).toThrow(Violation)
})

test('the search finds it if somebody may wait for ever', () => {
  const after: After = (budget, event) =>
    budgetAfter(budget, event.kind === 'looked' ? { ...event, letGoBytes: 0 } : event)
  const nodes = explored({ ...RULES, after })
  expect(stuck(nodes, LIMIT + 1, { ...RULES, after }).length).toBeGreaterThan(0)
})
