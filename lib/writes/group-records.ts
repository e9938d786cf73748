/** The batches of a group become the records of its frame. */
import { type Group, stagedBytes } from '../../vlog/log/group.ts'
import { isUnchanged, writesOf } from './batch.ts'
import type { BatchQueue } from './batch-queue.ts'

/** What a frame is going to hold. */
export interface FrameContent {
  /** Of batches. */
  readonly count: number
  readonly records: number
  /** What of them goes through the staging buffer of the group. */
  readonly stagedBytes: number
}

/** Of so many batches, those before the first with a value that has changed since it was passed. */
export function frameContent(queue: BatchQueue, countMax: number): FrameContent {
  let [count, records, staged] = [0, 0, 0]
  for (; count < countMax && isUnchanged(queue.at(count)); count++) {
    for (const write of writesOf(queue.at(count))) {
      staged += stagedBytes(write)
      records++
    }
  }
  return { count, records, stagedBytes: staged }
}

export function addRecords(group: Group, queue: BatchQueue, count: number): void {
  for (let i = 0; i < count; i++) {
    for (const write of writesOf(queue.at(i))) {
      group.add(write)
      if (write.stream !== undefined) write.stream.mayBeInLog = true
    }
  }
}
