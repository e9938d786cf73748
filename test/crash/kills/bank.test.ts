/**
 * Bank transfers under kill -9: whatever the moment, no money is made or lost (I2: transactions are whole), and every
 * transfer that was acknowledged is there (I1: a kill loses no page cache).
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import {
  ACCOUNTS,
  accountKey,
  CALLERS,
  callerKey,
  KILL_OPTIONS,
  START_BALANCE,
} from './kill-history.ts'

const CHILD = fileURLToPath(
  new URL('../../../dist/test/crash/kills/bank-child.js', import.meta.url),
)
const KILLS = Math.ceil(Number(process.env['WISC_KILLS'] ?? 60) / 6)
const seed = testSeed()

/** @returns for each caller the last transfer that it was told of */
function liveAndDie(directory: string, childSeed: number, linesMin: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, directory, String(childSeed)])
    let output = ''
    let errors = ''
    child.stderr.on('data', (data) => {
      errors += String(data)
    })
    child.stdout.on('data', (data) => {
      output += String(data)
      if (output.split('\n').length > linesMin) child.kill('SIGKILL')
    })
    child.on('error', reject)
    child.on('close', () => {
      if (errors !== '') reject(new Error(errors))
      const done = Array.from({ length: CALLERS }, () => 0)
      for (const [, name, number] of output.matchAll(/^done (\d+) (\d+)\n/gm)) {
        done[Number(name)] = Number(number)
      }
      resolve(done)
    })
  })
}

test(`I1, I2: ${KILLS} kills, no money is made or lost; ${replayHint(seed)}`, {
  timeout: 3_600_000,
}, async () => {
  const prng = new Prng(seed)
  const directory = mkdtempSync(join(tmpdir(), 'wisc-bank-'))
  try {
    const first = await open(directory, { ...KILL_OPTIONS, workers: 0 })
    for (let i = 0; i < ACCOUNTS; i++) await first.put(accountKey(i), String(START_BALANCE))
    await first.close()
    let transfers = 0
    for (let kill = 1; kill <= KILLS; kill++) {
      const done = await liveAndDie(directory, prng.u32(), 2 + prng.below(120))
      const store = await open(directory, { ...KILL_OPTIONS, workers: 0, readOnly: true })
      let sum = 0
      for (let i = 0; i < ACCOUNTS; i++) sum += Number(store.getSync(accountKey(i)))
      expect(sum, `kill ${kill}`).toBe(ACCOUNTS * START_BALANCE)
      transfers = 0
      for (const [name, number] of done.entries()) {
        const found = Number(store.getSync(callerKey(name)) ?? 0)
        expect(found, `kill ${kill}, caller ${name}`).toBeGreaterThanOrEqual(number)
        transfers += found
      }
      await store.close()
    }
    expect(transfers).toBeGreaterThan(KILLS)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
