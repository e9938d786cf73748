/** JSON documents, compressed or not, beside peers that compress; and what values cost that do not compress. */
import { runChild } from '../harness/children.ts'
import type { DocumentsJob, DocumentsReport } from './documents-child.ts'
import type { SpecialFigure } from './figures.ts'
import type { CallsContext } from './single-calls.ts'

const CHILD = new URL('./documents-child.js', import.meta.url)
const COUNT = 20_000
/** One at a time, interleaved. */
const ROWS: readonly Pick<DocumentsJob, 'engine' | 'content'>[] = [
  { engine: 'wisc', content: 'documents' },
  { engine: 'wisc zstd 1', content: 'documents' },
  { engine: 'wisc zstd 3', content: 'documents' },
  { engine: 'classic-level', content: 'documents' },
  { engine: 'classic-level snappy', content: 'documents' },
  { engine: 'lmdb-nosync', content: 'documents' },
  { engine: 'lmdb-nosync lz4', content: 'documents' },
  { engine: 'wisc', content: 'noise' },
  { engine: 'wisc zstd 3', content: 'noise' },
]

/** Of all repetitions the highest rates, and the least time of the processor. */
export async function storeDocuments(
  { repetitions, prepare }: CallsContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const best = new Map<string, DocumentsReport>()
  for (let i = 0; i < repetitions; i++) {
    for (const row of ROWS) {
      clear()
      await prepare()
      await runChild<DocumentsReport>(CHILD, { ...row, directory, count: COUNT }, (report) => {
        const name = `${row.content} ${row.engine}`
        best.set(name, better(best.get(name) ?? report, report))
      })
    }
  }
  return [...best].flatMap(([name, report]) => [
    { name: `${name}, puts`, unit: '/s', value: report.putsPerSecond },
    { name: `${name}, gets`, unit: '/s', value: report.getsPerSecond },
    { name: `${name}, a put of the processor`, unit: 'us', value: report.putCpuMicroseconds },
    { name: `${name}, a get of the processor`, unit: 'us', value: report.getCpuMicroseconds },
    { name: `${name}, space`, unit: 'bytes/user byte', value: report.spacePerByte },
  ])
}

function better(left: DocumentsReport, right: DocumentsReport): DocumentsReport {
  return {
    putsPerSecond: Math.max(left.putsPerSecond, right.putsPerSecond),
    getsPerSecond: Math.max(left.getsPerSecond, right.getsPerSecond),
    putCpuMicroseconds: Math.min(left.putCpuMicroseconds, right.putCpuMicroseconds),
    getCpuMicroseconds: Math.min(left.getCpuMicroseconds, right.getCpuMicroseconds),
    spacePerByte: right.spacePerByte,
  }
}
