/** JSON documents, compressed or not, beside peers that compress; and what values cost that do not compress. */
import { askChild } from '../harness/children.ts'
import type { DocumentsJob, DocumentsReport } from './documents-child.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'

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

export async function storeDocuments(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  for (const row of ROWS) {
    await beginAnew(context)
    const job: DocumentsJob = { ...row, directory: context.directory, count: COUNT }
    const report = await askChild<DocumentsReport>(CHILD, job)
    const name = `${row.content} ${row.engine}`
    readings.push(
      { name: `${name}, puts`, unit: '/s', value: report.putsPerSecond },
      { name: `${name}, gets`, unit: '/s', value: report.getsPerSecond },
      { name: `${name}, a put of the processor`, unit: 'us', value: report.putCpuMicroseconds },
      { name: `${name}, a get of the processor`, unit: 'us', value: report.getCpuMicroseconds },
      { name: `${name}, space`, unit: 'bytes/user byte', value: report.spacePerByte },
    )
  }
  return readings
}
