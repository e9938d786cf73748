/** abstract-level's own suite, all of it, on databases and on their sublevels. */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { WiscLevel } from 'wisc/level'
import { tapeTest } from './tape.ts'

// Nothing here is about a disk, and thousands of syncs would take minutes.
const memory = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()
/** It has no types. */
type Suite = (given: {
  readonly test: ReturnType<typeof tapeTest>['test']
  readonly factory: (options?: object) => WiscLevel
}) => void
const suite = createRequire(import.meta.url)('abstract-level/test') as Suite

const directory = fs.mkdtempSync(path.join(memory, 'wisc-level-'))
afterAll(() => fs.rmSync(directory, { recursive: true }))

/** Stores that cost less. Hooks of the suite look at the options of a database, so these are not among them. */
class SmallLevel extends WiscLevel {
  _open(options: object): Promise<void> {
    const parent = WiscLevel.prototype as unknown as SmallLevel
    return parent._open.call(this, {
      ...options,
      controlSocket: false,
      memtableBytes: 65_536,
      workers: 0,
    })
  }
}

const tape = tapeTest()
let made = 0

suite({
  test: tape.test,
  factory: (options) => new SmallLevel(path.join(directory, String(made++)), options),
})

test('that was all of it', () => {
  expect(tape.made()).toBeGreaterThan(5000)
})
