/** The room of a disk: what is kept for root is root's, what is kept from all is nobody's. */
import fs from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.restoreAllMocks()
})

const MODULE = import.meta.resolve('#dist/lib/base/platform/node-disk-space.js')
const EXT = 0xef53
const XFS = 0x5846_5342
const FIRST = '         0          0 4294967295\n'
const MAPPED = '         0       1000          1\n'

test.runIf(process.platform === 'linux').each([
  ['root, on ext', EXT, 0, FIRST, 1_000_000, 50_000, 45_904],
  ['root, on a small ext', EXT, 0, FIRST, 1000, 50, 25],
  ['root, on ext with less than is kept from all', EXT, 0, FIRST, 1_000_000, 4000, 3],
  ['another user, on ext', EXT, 1000, FIRST, 1_000_000, 50_000, 3],
  ['the root of a namespace of another user, on ext', EXT, 0, MAPPED, 1_000_000, 50_000, 3],
  ['root, elsewhere', XFS, 0, FIRST, 1_000_000, 50_000, 3],
])('%s', async (what, type, uid, map, blocks, bfree, free) => {
  const found = { type, bsize: 4096, blocks, bavail: 3, bfree }
  vi.spyOn(fs, 'statfsSync').mockReturnValue(found as never)
  vi.spyOn(process, 'geteuid').mockReturnValue(uid)
  vi.spyOn(fs, 'readFileSync').mockReturnValue(map)
  // Anew: it asks once who it is.
  const { freeBytes } = (await import(`${MODULE}?${encodeURIComponent(what)}`)) as {
    freeBytes(path: string): number
  }
  expect(freeBytes('/')).toBe(free * 4096)
})
