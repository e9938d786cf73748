/**
 * The stress program for a while, in both modes; for longer: npm run test:stress -- --minutes N --seed S.
 *
 * That it finds what it is for is seen with canaries: faults that the store once had are put back, by name.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { testSeed } from '../support/random.ts'
import { CANARIES, plantedText } from './canaries.ts'

const MAIN = fileURLToPath(new URL('../../dist/test/stress/main.js', import.meta.url))
const SECONDS = Number(process.env['WISC_STRESS_SECONDS'] ?? 15)

async function stress(...words: string[]): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (data: Buffer): void => {
    output += data.toString()
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const [code] = await once(child, 'close')
  console.info(output)
  expect(code, output).toBe(0)
}

test(
  'everything at once, beside readers and the command in other processes',
  {
    timeout: 900_000,
  },
  () => stress('--seconds', String(SECONDS), '--seed', String(testSeed())),
)

test('everything at once while calls of the file system fail', { timeout: 900_000 }, () =>
  stress('--faults', '--seconds', String(SECONDS), '--seed', String(testSeed())),
)

test.each(CANARIES)('canary: $name can be put back', (canary) => {
  for (const [, put] of canary.edits) expect(plantedText(canary)).toContain(put)
})
