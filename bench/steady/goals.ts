/**
 * Judges `overwrite-steady`: each row by its own goals, and all by what every row must hold.
 */
import type { Verdict } from '../harness/markdown.ts'
import { boundedPeerOf, nameRow, parseRow, STEADY_GOALS, type SteadyGoal } from './rows.ts'
import type { SteadySummary } from './summary.ts'

/** Put p99.9 of the steady state over that without a collector. */
const LATENCY_RATIO_MAX = 4
/** By so many milliseconds the longest delay of the event loop may exceed that without a collector. */
const LOOP_DELAY_ADDED_MS_MAX = 20
/** What the store's counters may miss of what it gave to write calls: manifest, headers, unfinished tables. */
const WCHAR_RATIO_MAX = 1.05

/**
 * Judges the rows that have goals.
 * @param asked names of the rows that were to run; one without a summary failed, and misses all its goals
 */
export function judgeSteady(
  asked: readonly string[],
  summaries: readonly SteadySummary[],
): Verdict[] {
  const of = (name: string): SteadySummary | undefined => summaries.find(({ row }) => row === name)
  return STEADY_GOALS.filter(({ row }) => asked.includes(row)).flatMap((goal) => {
    const row = parseRow(goal.row)
    const peer = nameRow(boundedPeerOf(row))
    const verdicts = judgeRow(goal, of(goal.row), of(nameRow({ ...row, target: undefined })))
    return asked.includes(peer)
      ? [...verdicts, ...judgeBeside(goal, of(goal.row), of(peer))]
      : verdicts
  })
}

function judgeRow(
  goal: SteadyGoal,
  on: SteadySummary | undefined,
  off: SteadySummary | undefined,
): Verdict[] {
  const judge = judgeOf(goal)
  const speed = on && off && on.overwritesPerSecond / off.overwritesPerSecond
  const latency = quotient(on?.steadyLatenciesUs?.p999, off?.steadyLatenciesUs?.p999)
  const delayAdded = on && off && Math.max(0, on.loopDelayMs.max - off.loopDelayMs.max)
  const notStored = on && on.rejected + on.leftOut
  return [
    judge('space', false, goal.spaceMax, on?.spaceSteady),
    judge('written per user byte', false, goal.writtenMax, on?.written),
    judge('wchar over written', false, WCHAR_RATIO_MAX, on?.wcharOverWritten),
    judge('overwrites/s of off', true, goal.throughputMin, speed),
    judge('put p99.9 over off', false, LATENCY_RATIO_MAX, latency),
    judge('loop delay beyond off, ms', false, LOOP_DELAY_ADDED_MS_MAX, delayAdded),
    judge('puts rejected or left out', false, 0, notStored),
  ]
}

/** Against the peer that is held to the space of the row. */
function judgeBeside(
  goal: SteadyGoal,
  own: SteadySummary | undefined,
  peer: SteadySummary | undefined,
): Verdict[] {
  if (goal.peerMin === undefined) return []
  const speed = own && peer && own.overwritesPerSecond / peer.overwritesPerSecond
  return [judgeOf(goal)('overwrites/s over rocksdb-blob', true, goal.peerMin, speed)]
}

/** Judges a figure of a row; what was not measured misses. */
function judgeOf({ row }: SteadyGoal) {
  return (
    text: string,
    atLeast: boolean,
    limit: number,
    measured: number | null | undefined,
  ): Verdict => {
    const value = measured ?? null
    const met = value !== null && (atLeast ? value >= limit : value <= limit)
    return { text: `${row}: ${text}`, limit, atLeast, measured: value, met }
  }
}

function quotient(left: number | undefined, right: number | undefined): number | null {
  return left === undefined || right === undefined ? null : left / right
}
