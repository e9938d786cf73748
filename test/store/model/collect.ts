/** Collections of the model test: one call of `collect`, in one of its ways, with what may go on beside it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type {
  CollectionPlan,
  CollectionReport,
  CollectOptions,
} from '#dist/lib/contract/collection.js'
import type { Store } from '#dist/lib/store/store.js'
import { keyAt, same } from './answers.ts'
import type { ModelCollect, ModelWrite } from './operations.ts'

interface ModelPorts {
  readonly write: (write: ModelWrite) => Promise<void>
  /** The value of a key now. */
  readonly expected: (key: number) => Buffer | undefined
}

export async function collectOnce(
  operation: ModelCollect,
  store: Store,
  ports: ModelPorts,
): Promise<void> {
  const { abortAfter, way, writes } = operation
  const abort = new AbortController()
  const options = { ...optionsOf(operation, store), signal: abort.signal }
  const byPlan = way.startsWith('by a plan')
  const aborting = abortAfter === undefined ? undefined : abortLater(abort, abortAfter)
  try {
    let plan: CollectionPlan | undefined
    if (byPlan) {
      plan = JSON.parse(JSON.stringify(await store.planCollection(options))) as CollectionPlan
      if (way !== 'by a plan') for (const write of writes) await ports.write(write)
    }
    const [report] = await Promise.all([
      store.collect(plan ? { plan, signal: abort.signal } : options),
      way.startsWith('beside') ? workBeside(writes, store, ports) : undefined,
    ])
    checkReport(report, byPlan ? undefined : options.maxCopyBytes)
  } catch (error) {
    // The store's own steps and writes may have changed what the plan saw.
    const code = (error as { code?: unknown }).code
    const isExpected =
      (code === 'WISC_STALE' && byPlan) || (code === 'WISC_ABORTED' && abort.signal.aborted)
    if (!isExpected) throw error
  } finally {
    await aborting
  }
}

function optionsOf({ target, maxCopyBytes, segments }: ModelCollect, store: Store): CollectOptions {
  const isTaken = (index: number): boolean => segments?.[index % segments.length] === true
  return {
    ...(target !== undefined && { targetSpaceAmplification: target }),
    ...(maxCopyBytes !== undefined && { maxCopyBytes }),
    ...(segments && {
      segments: store.segments().flatMap(({ id }, index) => (isTaken(index) ? [id] : [])),
    }),
  }
}

async function abortLater(abort: AbortController, turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await nextTurn()
  abort.abort()
}

async function workBeside(
  writes: readonly ModelWrite[],
  store: Store,
  { write, expected }: ModelPorts,
): Promise<void> {
  for (const one of writes) {
    await write(one)
    await nextTurn()
    same(await store.get(keyAt(one.key)), expected(one.key), 'get beside a collection')
  }
}

function checkReport(report: CollectionReport, maxCopyBytes: number | undefined): void {
  if (report.failed.length > 0) throw report.failed[0]!.error
  if (maxCopyBytes !== undefined && report.bytesCopied > maxCopyBytes) {
    throw new Error(`collect copied ${report.bytesCopied} of at most ${maxCopyBytes} bytes`)
  }
}
