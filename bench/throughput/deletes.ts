/**
 * Half of a loaded store is deleted, key by key; then it is left alone until it gives nothing back any more.
 */
import { type EngineStore, windowEntries } from '../engines/engine.ts'
import { type DataSet, KEY_BYTES } from '../harness/data-set.ts'
import { readDiskUsage } from '../harness/disk-usage.ts'
import { pause, type Work } from '../harness/measure.ts'

/** At rest: for so long the bytes on disk did not change. */
const REST_MS = 2000
const REST_MS_MAX = 30_000
const LOOK_MS = 50

/** Every second key, in the order of the load; the store is what `directory` holds. */
export async function deleteHalf(
  data: DataSet,
  store: EngineStore,
  directory: string,
): Promise<Work> {
  const victims = data.order.filter((index) => index % 2 === 1)
  let next = 0
  const remove = async (): Promise<void> => {
    while (next < victims.length) await store.remove(data.key(victims[next++]!))
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: windowEntries(data.valueBytes) }, remove))
  const seconds = (performance.now() - start) / 1000
  await store.flush()
  const liveBytes = (data.entries - victims.length) * (KEY_BYTES + data.valueBytes)
  const found = await waitForRest(directory)
  return {
    operations: victims.length,
    seconds,
    userBytes: victims.length * KEY_BYTES,
    spaceBackMs: found.ms,
    diskOverLive: found.diskBytes / liveBytes,
  }
}

/** @returns when the bytes on disk changed for the last time, from now on */
async function waitForRest(directory: string): Promise<{ ms: number; diskBytes: number }> {
  const start = performance.now()
  let changedAt = start
  let { diskBytes } = readDiskUsage(directory)
  while (performance.now() - changedAt < REST_MS && performance.now() - start < REST_MS_MAX) {
    await pause(LOOK_MS)
    const now = readDiskUsage(directory).diskBytes
    if (now !== diskBytes) changedAt = performance.now()
    diskBytes = now
  }
  return { ms: changedAt - start, diskBytes }
}
