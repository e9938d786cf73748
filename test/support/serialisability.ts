/**
 * A checker of histories: are there transactions that cannot have run one by one?
 *
 * After Elle (Kingsbury and Alvaro, VLDB 2020), for lists to which transactions append: the list that is left in the
 * end tells the order of all appends, and every list that was read tells whose appends it has seen. So it is known
 * which transaction must have come before which; a circle among them is an anomaly.
 */

/** A transaction that has committed, with what it has read before its own appends. */
export interface Committed {
  readonly id: number
  /** Ticks of a common clock: one that had ended before another began comes before it. */
  readonly began: number
  readonly ended: number
  readonly reads: ReadonlyMap<string, readonly number[]>
  /** Keys to whose lists it has appended its id. */
  readonly appends: readonly string[]
}

/** @returns what is wrong, such as a circle of ids with the reason of each step */
export function findAnomaly(
  history: readonly Committed[],
  lists: ReadonlyMap<string, readonly number[]>,
): string | undefined {
  const byId = new Map(history.map((one) => [one.id, one]))
  const edges = new Map<number, Map<number, string>>()
  const add = (from: number, to: number, why: string): void => {
    if (from === to) return
    const out = edges.get(from) ?? new Map<number, string>()
    edges.set(from, out.set(to, out.get(to) ?? why))
  }
  for (const [key, list] of lists) {
    for (const [i, id] of list.entries()) {
      if (!byId.get(id)?.appends.includes(key)) return `${key} has ${id}, which did not commit it`
      if (list.indexOf(id) !== i) return `${key} has ${id} twice`
      if (i > 0) add(list[i - 1]!, id, `appended to ${key} before`)
    }
  }
  for (const { id, reads, appends } of history) {
    for (const key of appends) {
      if (!lists.get(key)?.includes(id)) return `the append of ${id} to ${key} is lost`
    }
    for (const [key, seen] of reads) {
      const list = lists.get(key) ?? []
      if (seen.some((one, i) => one !== list[i])) return `${id} has read what ${key} never was`
      if (seen.length > 0) add(seen.at(-1)!, id, `was read in ${key} by`)
      if (seen.length < list.length) add(id, list[seen.length]!, `has not seen, in ${key},`)
    }
  }
  for (const first of history) {
    for (const second of history) {
      if (first.ended < second.began) add(first.id, second.id, 'had ended before the begin of')
    }
  }
  return findCircle(edges)
}

function findCircle(edges: ReadonlyMap<number, ReadonlyMap<number, string>>): string | undefined {
  const done = new Set<number>()
  const path: number[] = []
  const visit = (id: number): string | undefined => {
    const at = path.indexOf(id)
    if (at >= 0) {
      const circle = [...path.slice(at), id]
      return circle
        .map((one, i) => (i === 0 ? `${one}` : `${edges.get(circle[i - 1]!)!.get(one)} ${one}`))
        .join(' ')
    }
    if (done.has(id)) return undefined
    path.push(id)
    for (const to of edges.get(id)?.keys() ?? []) {
      const found = visit(to)
      if (found) return found
    }
    path.pop()
    done.add(id)
    return undefined
  }
  for (const id of edges.keys()) {
    const found = visit(id)
    if (found) return found
  }
  return undefined
}
