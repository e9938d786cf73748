/** Plans of a store whose owner does not answer: nobody can say what its snapshots and iterators still see. */
import type { CollectionPlan } from '../lib/index.ts'

/** The plan as JSON, with null for what is unknown. */
export function withUnknownPins(plan: CollectionPlan): object {
  return { ...plan, before: { ...plan.before, pinnedBytes: null } }
}
