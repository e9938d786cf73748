/** The room that a file system still has for this process. */
import fs from 'node:fs'

/** Of statfs(2) of Linux. */
const EXT_TYPE = 0xef53

/** Bytes that this process may still write where a path lies. */
export function freeBytes(path: string): number {
  const { bavail, bfree, bsize, type } = fs.statfsSync(path)
  // ext keeps a twentieth for root, who may fill that, too, and then finds nothing available for good.
  return (type === EXT_TYPE && isRoot() ? bfree : bavail) * bsize
}

/** The root of a namespace, as of a container, may be somebody else to a file system. */
function isRoot(): boolean {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return false
  try {
    return /^\s*0\s+0\s/.test(fs.readFileSync('/proc/self/uid_map', 'utf8'))
  } catch {
    return false
  }
}
