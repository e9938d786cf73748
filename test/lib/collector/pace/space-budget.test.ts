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

/** A rewrite: the files that it takes, and what lives of them. In units. */
interface Rewrite {
  readonly victimBytes: number
  readonly outputBytes: number
}

const SEGMENT = 4
/** A whole segment; and small files, after which no whole one has room by what they give back. */
const REWRITES: readonly Rewrite[] = [
  { victimBytes: SEGMENT, outputBytes: 2 },
  { victimBytes: 2, outputBytes: 1 },
]
const OUTPUT_MAX = 2
const FREED_MIN = 1
const FREED_MAX = 2
const LIMIT = 2 * SEGMENT
const START = LIMIT - SEGMENT
const LET_GO = 1
/** Groups: the last one is more than ever fits. */
const GROUPS = [1, 2, LIMIT + 1]
/** Nothing is written above it: the search has an end. */
const DISK_MAX = LIMIT + 1

interface Measured {
  readonly takenBytes: number
  readonly roomBytes: number
  /** What a rewrite could take of the garbage, if one is due. */
  readonly dueBytes: number
  readonly isUnlinking: boolean
  /** Something but a write has happened since. */
  readonly isOutdated: boolean
}

interface World {
  readonly budget: Budget
  readonly disk: number
  /** What a group that was admitted has still to write; no other one is admitted meanwhile. */
  readonly writing: number
  /** What no entry points to. */
  readonly garbage: number
  readonly running: Running | undefined
  /** Files that are going. */
  readonly unlinking: Rewrite | undefined
  readonly isPinned: boolean
  readonly isPaused: boolean
  readonly look: Measured | undefined
  /** False from an open or the end of a pause to the next look. */
  readonly isKnown: boolean
  /** How far above the bound the store may be: what was let go, or written while the collector was paused. */
  readonly excused: number
  readonly failures: number
}

interface Running {
  readonly rewrite: Rewrite
  /** What it has still to write. */
  readonly unwritten: number
}

type After = typeof budgetAfter

interface Rules {
  readonly after: After
  /** For machines that are broken on purpose. */
  readonly mayGo: typeof mayGo
}

const RULES: Rules = { after: budgetAfter, mayGo }

const BEGUN: BudgetEvent = { kind: 'begun', roomBytes: LET_GO }

const EMPTY: World = {
  budget: budgetAfter(RELEASED, BEGUN),
  disk: 0,
  writing: 0,
  garbage: 0,
  running: undefined,
  unlinking: undefined,
  isPinned: false,
  isPaused: false,
  look: undefined,
  isKnown: false,
  excused: 0,
  failures: 0,
}

/** Opened with a lower target than it was left with. */
const ABOVE: World = { ...EMPTY, disk: LIMIT + 1, garbage: LIMIT + 1, excused: 1 }

class Violation extends Error {}

/** Of all that is in it. Quickly made, as there are many. */
function keyOf(part: object): string {
  let key = ''
  for (const name in part) {
    const value: unknown = part[name as keyof typeof part]
    key += typeof value === 'object' ? `${keyOf(value!)};` : `${value} `
  }
  return key
}

/** Only changes of what was taken say anything: states that differ in nothing else are one. */
function normal(world: World): World {
  const { takenBytes, endBytes } = world.budget
  const budget = { ...world.budget, takenBytes: 0, endBytes: endBytes - takenBytes }
  const look = world.look && { ...world.look, takenBytes: world.look.takenBytes - takenBytes }
  // What the store has come back from is excused no more; the room of the next rewrite may have been used up, too.
  const over = Math.max(
    0,
    world.disk + world.writing + (world.running?.unwritten ?? OUTPUT_MAX) - LIMIT,
  )
  return { ...world, budget, look, excused: Math.min(world.excused, over) }
}

function told(world: World, event: BudgetEvent, { after }: Rules): World {
  return { ...world, budget: after(world.budget, event) }
}

/** Somebody looks anew because of it. */
function outdated(world: World): World {
  return { ...world, look: world.look && { ...world.look, dueBytes: 0, isOutdated: true } }
}

function canRewrite({ garbage, isPinned }: Pick<World, 'garbage' | 'isPinned'>): boolean {
  return garbage >= FREED_MIN && !isPinned
}

function freedBy({ victimBytes, outputBytes }: Rewrite): number {
  return victimBytes - outputBytes
}

// What writers do.

function* writes(world: World, rules: Rules): Generator<World> {
  if (world.writing > 0) return
  for (const bytes of GROUPS) {
    if (world.disk + bytes > DISK_MAX || !rules.mayGo(world.budget, bytes)) continue
    const { budget } = world
    const isExcused = budget.isReleased || !world.isKnown || bytes > roomOf(budget)
    const excused = world.excused + (isExcused ? bytes : 0)
    yield told({ ...world, writing: bytes, excused }, { kind: 'admitted', bytes }, rules)
  }
}

// What the store does by itself.

function* works(world: World, rules: Rules): Generator<World> {
  const { running, unlinking, look, writing } = world
  if (writing > 0) {
    const { disk, garbage } = world
    const written = { ...world, writing: 0, disk: disk + writing, garbage: garbage + writing }
    yield told(written, { kind: 'written' }, rules)
  }
  if (look === undefined && !world.isPaused) yield measured(world)
  if (look !== undefined) yield* acted({ ...world, look: undefined }, look, rules)
  if (running !== undefined && running.unwritten > 0) {
    const { rewrite, unwritten } = running
    yield { ...world, disk: world.disk + 1, running: { rewrite, unwritten: unwritten - 1 } }
  }
  if (running?.unwritten === 0 && unlinking === undefined) {
    const ended = { ...world, running: undefined, unlinking: running.rewrite }
    yield outdated(ends(ended, running.rewrite, 0, false, rules))
  }
  if (unlinking !== undefined) {
    const { victimBytes } = unlinking
    const gone = {
      ...world,
      unlinking: undefined,
      disk: world.disk - victimBytes,
      garbage: world.garbage - freedBy(unlinking),
    }
    yield outdated(told(gone, { kind: 'reclaimed', bytes: victimBytes }, rules))
  }
}

function ends(
  world: World,
  { victimBytes }: Rewrite,
  unusedBytes: number,
  hasFailed: boolean,
  rules: Rules,
): World {
  const returningBytes = victimBytes
  return told(world, { kind: 'rewritten', unusedBytes, returningBytes, hasFailed }, rules)
}

function measured(world: World): World {
  const { budget, disk, garbage, running, unlinking, isPinned } = world
  const isDue = running === undefined && !isPinned && disk > START
  const freeBytes = garbage - (unlinking ? freedBy(unlinking) : 0)
  const look = {
    takenBytes: takenOnDisk(budget),
    roomBytes: LIMIT - disk - (running?.unwritten ?? 0),
    dueBytes: isDue ? Math.min(freeBytes, FREED_MAX) : 0,
    isUnlinking: unlinking !== undefined,
    isOutdated: false,
  }
  return { ...world, look }
}

/** Which files are best, nobody knows: each of them is tried. */
function* acted(world: World, look: Measured, rules: Rules): Generator<World> {
  if (world.isPaused) return
  const due = REWRITES.filter((rewrite) => freedBy(rewrite) <= look.dueBytes)
  const fitting = due.filter(({ outputBytes }) => outputBytes <= look.roomBytes)
  if (fitting.length < due.length && world.excused === 0 && !look.isUnlinking)
    throw new Violation('a rewrite has no room')
  // Without room one begins only if nothing is under way that may make some.
  const chosen = fitting.length > 0 || look.isUnlinking ? fitting : due
  // Writers may have used up since what a look has found.
  const takenSince = world.budget.takenBytes - look.takenBytes
  const begun = chosen.filter(
    (rewrite) => !fitting.includes(rewrite) || rewrite.outputBytes <= look.roomBytes - takenSince,
  )
  for (const rewrite of begun) yield lookedAt(begin(world, look, rewrite, rules), look, rules)
  if (begun.length === 0) yield lookedAt(world, look, rules)
}

function begin(world: World, look: Measured, rewrite: Rewrite, rules: Rules): World {
  const { victimBytes, outputBytes } = rewrite
  const over = outputBytes <= look.roomBytes ? 0 : outputBytes
  const running = { rewrite, unwritten: outputBytes }
  const event = { kind: 'rewriting', bytes: outputBytes, returningBytes: victimBytes } as const
  return told({ ...world, running, excused: world.excused + over }, event, rules)
}

function lookedAt(world: World, look: Measured, rules: Rules): World {
  const isUnderWay = world.running !== undefined || look.isUnlinking
  const mayComeBack = isUnderWay || look.isOutdated
  const isTrue = world.running !== undefined || world.unlinking !== undefined || canRewrite(world)
  const isHigh = world.disk > START
  const { takenBytes, roomBytes, isUnlinking } = look
  const event = { kind: 'looked', takenBytes, roomBytes, isUnlinking, mayComeBack } as const
  const looked = { ...event, rewriteBytes: OUTPUT_MAX, letGoBytes: LET_GO }
  const after = told({ ...world, isKnown: true }, looked, rules)
  if (after.budget.letGoBytes > 0 && isTrue && isHigh) {
    throw new Violation('writers are let go while something can come back')
  }
  return after
}

// What happens to it.

function* happenings(world: World, rules: Rules): Generator<World> {
  const { running } = world
  yield outdated({ ...world, isPinned: !world.isPinned })
  if (world.isPaused) yield told({ ...world, isPaused: false, isKnown: false }, BEGUN, rules)
  else yield told({ ...world, isPaused: true }, { kind: 'released' }, rules)
  if (running !== undefined && world.failures === 0) {
    const { rewrite, unwritten } = running
    const { outputBytes } = rewrite
    // Another one that begins now may need more than this one would have written.
    const excused = world.excused + OUTPUT_MAX - outputBytes
    const disk = world.disk - (outputBytes - unwritten)
    const failed = { ...world, disk, excused, running: undefined, failures: 1 }
    yield outdated(ends(failed, rewrite, outputBytes, true, rules))
  }
}

/** All states that can be reached, and the numbers of those that each comes from by what the store does by itself. */
interface Explored {
  readonly worlds: World[]
  readonly before: number[][]
}

/** @throws Violation */
function explored(
  rules: Rules = RULES,
  beginnings: readonly World[] = [EMPTY, ABOVE],
  happens: (world: World, rules: Rules) => Iterable<World> = happenings,
): Explored {
  const numbers = new Map<string, number>()
  const worlds: World[] = []
  const before: number[][] = []
  const numberOf = (next: World): number => {
    const world = normal(next)
    const key = keyOf(world)
    let number = numbers.get(key)
    if (number === undefined) {
      number = worlds.push(world) - 1
      before.push([])
      numbers.set(key, number)
    }
    return number
  }
  for (const world of beginnings) numberOf(world)
  for (let number = 0; number < worlds.length; number++) {
    const world = worlds[number]!
    const { disk, excused } = world
    if (disk > LIMIT + excused) throw new Violation(`above the bound: ${JSON.stringify(world)}`)
    for (const next of works(world, rules)) before[numberOf(next)]!.push(number)
    for (const next of writes(world, rules)) numberOf(next)
    for (const next of happens(world, rules)) numberOf(next)
  }
  return { worlds, before }
}

/** States from which, whatever the group, the store alone never comes to one in which it may be written. */
function stuck({ worlds, before }: Explored, bytes: number, rules: Rules = RULES): World[] {
  const isGood = worlds.map(({ writing, budget }) => writing === 0 && rules.mayGo(budget, bytes))
  const good = [...isGood.keys()].filter((number) => isGood[number])
  for (let number = good.pop(); number !== undefined; number = good.pop()) {
    for (const earlier of before[number]!) {
      if (isGood[earlier]) continue
      isGood[earlier] = true
      good.push(earlier)
    }
  }
  return worlds.filter((_, number) => !isGood[number])
}

test('in each state the bound holds, and from each everybody can go on', () => {
  const all = explored()
  expect(all.worlds.length).toBeGreaterThan(1000)
  for (const bytes of GROUPS) expect(stuck(all, bytes)).toEqual([])
  console.info(`${all.worlds.length} states`)
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
    'what will come back is enough for the next rewrite, however little it is',
    (budget, event) =>
      budgetAfter(
        budget,
        event.kind === 'rewriting' ? { ...event, returningBytes: SEGMENT } : event,
      ),
  ],
  [
    'what a rewrite that has failed was to give back is still expected',
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
      return budgetAfter(next, { kind: 'reclaimed', bytes: event.returningBytes })
    },
  ],
]

test.each(BROKEN)('the search finds it if %s', (_, after) => {
  expect(() => explored({ ...RULES, after })).toThrow(Violation)
})

test('the search finds it if somebody may wait for ever', () => {
  const after: After = (budget, event) =>
    budgetAfter(budget, event.kind === 'looked' ? { ...event, letGoBytes: 0 } : event)
  // Also where nothing happens to the store.
  const all = explored({ ...RULES, after }, [EMPTY], () => [])
  expect(stuck(all, LIMIT + 1, { ...RULES, after }).length).toBeGreaterThan(0)
  expect(
    stuck(
      explored(RULES, [EMPTY], () => []),
      LIMIT + 1,
    ),
  ).toEqual([])
})
