/** Whether a plan that was made before still means the files that are there. */

import { invalidArgument, WiscError } from '../../base/errors.ts'
import { type CollectionPlan, plannedFiles } from '../../contract/collection.ts'
import { heldSegments } from '../../space/figures.ts'
import type { Space } from '../../space/space.ts'

/**
 * @param isExposed false before the compaction that the plan begins with: references will be others then
 * @throws WISC_STALE if files of a plan are not as it saw them, WISC_INVALID_ARGUMENT for another database's plan
 */
export function checkPlanFits(
  plan: CollectionPlan,
  databaseId: string,
  { files }: Space,
  isExposed: boolean,
): void {
  if (plan.databaseId !== databaseId) throw invalidArgument('plan belongs to another database')
  const present = new Map(files.map((file) => [file.number, file]))
  const held = new Set(files.flatMap(heldSegments))
  for (const step of plan.steps) {
    if (step.action === 'forget' && !step.segments.every((segment) => held.has(segment))) {
      throw new WiscError('WISC_STALE', 'segments have gone since the plan was made: plan again')
    }
    for (const planned of plannedFiles(step)) {
      const file = present.get(planned.number)
      const same =
        file?.kind === planned.kind &&
        (!isExposed || file.blocked === undefined) &&
        (!isExposed || file.referencedBytes === planned.referencedBytes) &&
        file.diskBytes === planned.diskBytes
      if (same) continue
      const message = `a file has changed since the plan was made: plan again number=${planned.number}`
      throw new WiscError('WISC_STALE', message)
    }
  }
}
