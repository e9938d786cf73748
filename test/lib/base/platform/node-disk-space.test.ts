/** The room of a disk: what is kept for root is root's, and nobody else's. */
import fs from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { freeBytes } from '#dist/lib/base/platform/node-disk-space.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const BLOCK = 4096
const EXT = 0xef53
const XFS = 0x5846_5342
const FIRST = '         0          0 4294967295\n'
const MAPPED = '         0       1000          1\n'

test.runIf(process.platform === 'linux').each([
  ['root, on ext', EXT, 0, FIRST, 100],
  ['another user, on ext', EXT, 1000, FIRST, 3],
  ['the root of a namespace of another user, on ext', EXT, 0, MAPPED, 3],
  ['root, elsewhere', XFS, 0, FIRST, 3],
])('%s', (_, type, uid, map, blocks) => {
  const found = { type, bsize: BLOCK, bavail: 3, bfree: 100 }
  vi.spyOn(fs, 'statfsSync').mockReturnValue(found as never)
  vi.spyOn(process, 'geteuid').mockReturnValue(uid)
  vi.spyOn(fs, 'readFileSync').mockReturnValue(map)
  expect(freeBytes('/')).toBe(blocks * BLOCK)
})
