/** A file of the value log that has another name, as in a hard-linked backup: it alone is not punched. */
import { expect, test } from 'vitest'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import {
  actions,
  CollectedStore,
  collectAll,
  keyOf,
  PUNCHES,
} from '../../support/store/collected-store.ts'

/** Two sealed segments in which every other value of 20,000 bytes is dead, and a third one. */
async function twoHalves(collector: object = { enabled: false }): Promise<CollectedStore> {
  const opened = await CollectedStore.open({ ...PUNCHES, collector })
  for (let i = 0; i < 26; i++) await opened.put(keyOf(i), 20_000)
  for (let i = 0; i < 26; i += 2) await opened.put(keyOf(i), 100)
  await opened.store.flush()
  return opened
}

/** The oldest file gets another name. @returns its number */
function linkFirst({ store, fileSystem }: CollectedStore): number {
  const [first] = store.segments()
  fileSystem.linkElsewhere(`${DIRECTORY}/${first!.file}`)
  return first!.id
}

test('it is planned as a rewrite, the others as punches, and so it is done', async () => {
  const opened = await twoHalves()
  await opened.store.compact()
  const number = linkFirst(opened)
  const plan = await opened.store.planCollection({ targetSpaceAmplification: 1.01 })
  const files = (action: string): number[] =>
    plan.steps.flatMap((step) =>
      step.action === action && step.action === 'rewrite'
        ? step.files.map((file) => file.number)
        : step.action === action && step.action === 'punch'
          ? [step.file.number]
          : [],
    )
  expect(files('rewrite')).toContain(number)
  expect(files('punch').length).toBeGreaterThan(0)
  const report = await opened.store.collect({ plan })
  expect(report.failed).toEqual([])
  expect(report.bytesFreed).toBe(plan.bytesFreed)
  await opened.finish()
})

test('one that gets another name behind the plan is left alone, and the holes of others go on', async () => {
  const opened = await twoHalves()
  await opened.store.compact()
  opened.runner.hold('punch', 'before')
  const collecting = collectAll(opened)
  const job = await opened.runner.reached('punch')
  const number = job.kind === 'punch' ? job.file.number : 0
  opened.fileSystem.linkElsewhere(`${DIRECTORY}/${String(number).padStart(6, '0')}.vlog`)
  opened.runner.release('punch')
  const report = await collecting
  // The first punch found another name, and the file was rewritten in the next round; the second one was made.
  expect(actions(report).filter((action) => action === 'punch').length).toBeGreaterThanOrEqual(2)
  expect(actions(report)).toContain('rewrite')
  expect(opened.store.segments().map(({ id }) => id)).not.toContain(number)
  const freed = report.steps
    .filter(({ action }) => action === 'punch')
    .map((step) => step.bytesFreed)
  expect([freed[0], freed.some((bytes) => bytes > 0)]).toEqual([0, true])
  await opened.finish()
})

test('by itself the collector punches what has no other name', async () => {
  // Whatever holes are measured to cost on a busy machine.
  const opened = await twoHalves({ targetSpaceAmplification: 1.01, prefer: 'endurance' })
  const number = linkFirst(opened)
  const seen: string[] = []
  opened.store.on('collection', ({ action }) => seen.push(action))
  // More than the two segments that the bound leaves.
  for (let i = 26; i < 90; i++) await opened.put(keyOf(i), 20_000)
  for (let i = 27; i < 90; i += 2) await opened.put(keyOf(i), 100)
  await opened.store.compact()
  // Where copies of the moment were the better way there is more to punch each time.
  for (let i = 90; !seen.includes('punch'); i += 2) {
    await opened.put(keyOf(i), 20_000)
    await opened.put(keyOf(i + 1), 20_000)
    await opened.delete(keyOf(i))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(opened.store.segments().find(({ id }) => id === number)?.punchedBytes ?? 0).toBe(0)
  await opened.finish()
})
