/** A directory in memory for each test that asks for one: for tests that write and sync files by the hundred. */
import { onTestFinished } from 'vitest'
import { MemoryFileSystem } from './memory-file-system.ts'

/** What all these directories lie on. */
export const memoryDisk: MemoryFileSystem = new MemoryFileSystem()

let count = 0

export function memoryDirectory(): string {
  const path = `/memory/${count++}`
  onTestFinished(() => {
    for (const name of memoryDisk.list(path)) memoryDisk.unlink(`${path}/${name}`)
  })
  return path
}
