/**
 * wisc beside its peers, row by row: who is ahead, and by how much. A peer is what is neither the raw floor nor wisc
 * with other options.
 */
import { PACED } from '../harness/workload-names.ts'
import type { Cell } from './figures.ts'

/** One workload at one size of values. */
export interface Standing {
  readonly workload: string
  readonly valueBytes: number
  /** The fastest of the peers. */
  readonly peer: string
  /** The rate of wisc over that of the peer. */
  readonly ratio: number
}

type Rated = Pick<Cell, 'workload' | 'valueBytes' | 'engine' | 'rate'>

/** Of the rows that wisc and at least one peer have, but for those whose rate is a pace that was set. */
export function standingsOf(cells: readonly Rated[]): Standing[] {
  return cells.flatMap((own): Standing[] => {
    if (own.engine !== 'wisc' || PACED.includes(own.workload)) return []
    const { workload, valueBytes } = own
    const peers = cells.filter(
      (each) => each.workload === workload && each.valueBytes === valueBytes && isPeer(each.engine),
    )
    if (peers.length === 0) return []
    const fastest = peers.reduce((best, each) => (each.rate > best.rate ? each : best))
    return [{ workload, valueBytes, peer: fastest.engine, ratio: own.rate / fastest.rate }]
  })
}

function isPeer(engine: string): boolean {
  return engine !== 'raw' && !engine.startsWith('wisc')
}

/** The rate of wisc over that of one engine; null where one of them was not measured. */
export function ratioTo(
  cells: readonly Rated[],
  engine: string,
  workload: string,
  valueBytes: number,
): number | null {
  const rateOf = (name: string): number | undefined =>
    cells.find(
      (each) =>
        each.engine === name && each.workload === workload && each.valueBytes === valueBytes,
    )?.rate
  const [own, other] = [rateOf('wisc'), rateOf(engine)]
  return own === undefined || other === undefined ? null : own / other
}
