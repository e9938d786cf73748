/** The room that a file system still has for this process. */
import fs from 'node:fs'

/** Of statfs(2) of Linux. */
const EXT_TYPE = 0xef53
/** What ext4 keeps from everybody, for its own tables: a fiftieth, also of blocks that statfs does not count. */
const EXT_KEPT_SHARE = 1 / 40
const EXT_KEPT_BLOCKS_MAX = 4096

let uidMap: string | undefined

/** Bytes that this process may still write where a path lies. */
export function freeBytes(path: string): number {
  const { blocks, bavail, bfree, bsize, type } = fs.statfsSync(path)
  if (type !== EXT_TYPE || !isRoot()) return bavail * bsize
  // ext keeps a twentieth for root, who fills that, too, and then finds nothing available for good.
  const kept = Math.min(Math.ceil(blocks * EXT_KEPT_SHARE), EXT_KEPT_BLOCKS_MAX)
  return Math.max(bavail, bfree - kept) * bsize
}

/** The root of a namespace, as of a container, may be somebody else to a file system. */
function isRoot(): boolean {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return false
  uidMap ??= readUidMap()
  return /^\s*0\s+0\s/.test(uidMap)
}

function readUidMap(): string {
  try {
    return fs.readFileSync('/proc/self/uid_map', 'utf8')
  } catch {
    return ''
  }
}
