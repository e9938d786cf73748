/**
 * Sizes as people write them: 4096 is 4KiB.
 */

const UNITS: Readonly<Record<string, number>> = { kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }
const MIB = 1024 ** 2

/** @throws Error for what is no size above zero */
export function parseBytes(text: string): number {
  const match = /^(\d+)\s*(KiB|MiB|GiB|B)?$/i.exec(text)
  const bytes = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? 1)
  if (!(bytes > 0)) throw new Error(`not a size: ${text} (examples: 256, 4KiB, 512MiB)`)
  return bytes
}

/** 4096 as `4 KiB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= MIB && bytes % MIB === 0) return `${bytes / MIB} MiB`
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}
