/** The frame around a workload: what counts in its readings, and what is behind them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LoopDelayWatch, showDelays, worstDelays } from '#dist/bench/harness/loop-delay.js'
import { measure } from '#dist/bench/harness/measure.js'

const STOOD_MS = 200

let directory: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wisc-bench-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

describe('what is behind the readings', () => {
  const work = { operations: 1, seconds: 1, userBytes: 1 }

  test('what puts a workload back counts in none of them', async () => {
    let undoSeconds = 0
    const undo = async (): Promise<void> => {
      writeFileSync(path.join(directory, 'undone'), Buffer.alloc(1_000_000))
      const before = process.cpuUsage()
      while (undoSeconds < 0.5) {
        const { user, system } = process.cpuUsage(before)
        undoSeconds = (user + system) / 1e6
      }
    }
    const run = async () => {
      writeFileSync(path.join(directory, 'done'), Buffer.alloc(100_000))
      return { ...work, undo }
    }
    const found = await measure('w', directory, run)
    expect(undoSeconds).toBeGreaterThan(0)
    expect(found.cpuSeconds).toBeLessThan(undoSeconds)
    if (found.writtenBytes !== null) {
      expect(found.writtenBytes).toBeGreaterThanOrEqual(100_000)
      expect(found.writtenBytes).toBeLessThan(1_000_000)
    }
    expect(found).not.toHaveProperty('undo')
  })

  test('single calls are timed apart, before anything is put back', async () => {
    const order: string[] = []
    const run = async () => ({
      ...work,
      single: () => order.push('call'),
      undo: async () => {
        order.push('undo')
      },
    })
    const found = await measure('w', directory, run)
    expect(found.latenciesUs!.p50).toBeGreaterThanOrEqual(0)
    expect(order[0]).toBe('call')
    expect(order.filter((name) => name === 'undo')).toHaveLength(1)
    expect(order.at(-1)).toBe('undo')
    expect(found).not.toHaveProperty('single')
  })
})

describe('how late the event loop is', () => {
  test('all that was due while it stood has waited', () => {
    const watch = new LoopDelayWatch()
    const began = performance.now()
    for (let now = began; now - began < STOOD_MS; ) now = performance.now()
    const { p50, p99, max } = watch.finish()
    // A histogram has three digits.
    expect(max).toBeGreaterThan(0.99 * (STOOD_MS - 1))
    expect(p99).toBeGreaterThan(0.9 * STOOD_MS)
    expect(p50).toBeGreaterThan(0.4 * STOOD_MS)
    expect(p50).toBeLessThan(max)
  })

  test('of several rounds the worst counts; older ones have not all figures', () => {
    const rounds = [
      { p50: 1, p99: 20, p999: 30, max: 40 },
      { p50: 2, p99: 3, p999: 4, max: 50 },
    ]
    expect(worstDelays(rounds)).toEqual({ p50: 2, p99: 20, p999: 30, max: 50 })
    expect(worstDelays([{ max: 7 }])).toEqual({ max: 7 })
    expect(showDelays(worstDelays(rounds))).toBe('2.0 / 20 / 30 / 50')
    expect(showDelays({ p999: 3, max: 7 })).toBe('- / - / 3.0 / 7.0')
  })
})
