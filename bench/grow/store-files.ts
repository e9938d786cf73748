/** What lies in the directory of a store, seen from outside. */
import fs from 'node:fs'
import path from 'node:path'
import { readDiskUsage } from '../harness/disk-usage.ts'
import type { StoreFiles } from './results.ts'

export function storeFiles(directory: string): StoreFiles {
  const names = fs.readdirSync(directory)
  const bytesOf = (name: string): number => fs.statSync(path.join(directory, name)).size
  const tables = names.filter((name) => name.endsWith('.sst'))
  const manifests = names.filter((name) => name.startsWith('MANIFEST'))
  return {
    diskBytes: readDiskUsage(directory).diskBytes,
    valueLogFiles: names.filter((name) => name.endsWith('.vlog')).length,
    tables: tables.length,
    tableBytes: tables.reduce((sum, name) => sum + bytesOf(name), 0),
    manifestBytes: Math.max(...manifests.map(bytesOf)),
  }
}
