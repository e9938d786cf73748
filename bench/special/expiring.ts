/** Everything expires: bytes written for each byte, and the space that it takes, under a constant load. */
import { runChild } from '../harness/children.ts'
import type { ExpiringJob, ExpiringReport } from './expiring-child.ts'
import type { SpecialFigure } from './figures.ts'

const CHILD = new URL('./expiring-child.js', import.meta.url)
const MIB = 1024 * 1024
const JOB = {
  ttlMs: 30_000,
  durationMs: 120_000,
  bytesPerSecond: 16 * MIB,
  targetSpaceAmplification: 1.3,
  segmentBytes: 64 * MIB,
  valueBytes: 65536,
} as const

export async function letExpire(
  { prepare }: { readonly prepare: () => Promise<void> },
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures: SpecialFigure[] = []
  clear()
  await prepare()
  const job: ExpiringJob = { ...JOB, directory }
  await runChild<ExpiringReport>(CHILD, job, (report) => {
    figures.push(
      { name: 'expire-steady puts', unit: '', value: report.puts },
      { name: 'expire-steady written', unit: 'bytes/user byte', value: report.writeAmplification },
      { name: 'expire-steady relocated', unit: 'bytes', value: report.relocatedBytes },
      { name: 'expire-steady live', unit: 'bytes', value: report.liveBytes },
      { name: 'expire-steady on disk at most', unit: 'bytes', value: report.diskBytes },
      { name: 'expire-steady bound', unit: 'bytes', value: report.boundBytes },
      { name: 'expire-steady in calls of put', unit: 's', value: report.putSeconds },
    )
  })
  return figures
}
