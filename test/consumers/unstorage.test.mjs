/** wisc/unstorage against the suite that drivers of unstorage have to pass, which lies in a clone. Run by vitest. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import wiscDriver from 'wisc/unstorage'

/** Copied by run.mjs. */
const SUITE = './unstorage/test/drivers/utils.ts'
const { testDriver } = await import(SUITE)

const directory = mkdtempSync(join(tmpdir(), 'wisc-unstorage-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('the suite', () => testDriver({ driver: wiscDriver({ path: join(directory, 'db') }) }))
