/** Databases of tests, and what errors they give. */
import { WiscLevel } from 'wisc/level'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

export type Database = WiscLevel<string, string>

export async function withLevel<T>(
  use: (db: Database) => Promise<T>,
  directory?: string,
): Promise<T> {
  const db: Database = new WiscLevel(directory ?? temporaryDirectory())
  await db.open()
  try {
    return await use(db)
  } finally {
    await db.close()
  }
}

/** Codes of an error and of its causes. */
function codesOf(error: unknown): unknown[] {
  if (!(error instanceof Error)) return []
  return [(error as { code?: unknown }).code, ...codesOf(error.cause)]
}

export async function failure(promise: Promise<unknown>): Promise<unknown[]> {
  return promise.then(
    () => ['no error'],
    (error: unknown) => codesOf(error),
  )
}
