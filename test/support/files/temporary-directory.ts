/** A directory of its own for each test that asks for one, removed when the test has ended. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'wisc-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
