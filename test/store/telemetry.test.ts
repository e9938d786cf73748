/** What a store tells those who watch it: calls and events on channels, metrics as text. */
import { spawnSync } from 'node:child_process'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { TracedCalls } from '#dist/lib/telemetry/store-telemetry.js'
import { DIRECTORY } from '../support/crash/recover-image.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { blocksOf, readPage } from '../support/pages.ts'
import { type MetricFamily, readMetrics } from '../support/prometheus.ts'
import { fieldsOf } from '../support/sources.ts'
import { openSmallStore } from '../support/store/fault-store.ts'

const PROMETHEUS = path.join(import.meta.dirname, '../../lib/telemetry/prometheus.ts')
const STAGES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const

let fileSystem: FaultFileSystem
let store: Store

beforeEach(async () => {
  fileSystem = new FaultFileSystem()
  store = await openSmallStore({}, fileSystem)
})

interface Told {
  readonly stage: string
  readonly message: Record<string, unknown>
}

/** What the tracing channel of a call tells from now on, to the end of the test. */
function trace(name: string): Told[] {
  const told: Told[] = []
  const channel = tracingChannel(name)
  for (const stage of STAGES) {
    const listener = (message: unknown): void => {
      told.push({ stage, message: message as Told['message'] })
    }
    channel[stage].subscribe(listener)
    onTestFinished(() => void channel[stage].unsubscribe(listener))
  }
  return told
}

describe('calls on tracing channels', () => {
  test('tell what was called, with what, and what came of it', async () => {
    const puts = trace('wisc:put')
    const gets = trace('wisc:get')
    const value = Buffer.from('value')
    const put = store.put('a', value)
    expect(puts.map(({ stage }) => stage)).toEqual(['start', 'end'])
    await put
    expect(puts.map(({ stage }) => stage)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    expect(puts[0]!.message).toMatchObject({ path: DIRECTORY, operation: 'put', key: 'a' })
    expect(puts[0]!.message['value']).toBe(value)
    // One object for all stages: who traces keeps there what it needs.
    expect(new Set(puts.map(({ message }) => message)).size).toBe(1)

    await store.write([{ type: 'put', key: 'b', value: '2' }])
    await store.delete('b')
    await store.deleteRange({ prefix: 'b' })
    const written = puts.filter(({ stage }) => stage === 'asyncEnd')
    expect(written.map(({ message }) => message['operation'])).toEqual([
      'put',
      'write',
      'delete',
      'deleteRange',
    ])

    expect(await store.get('a')).toEqual(value)
    expect(store.getSync('a')).toEqual(value)
    expect(await store.getMany(['a', 'b'])).toEqual([value, undefined])
    // What a transaction reads is none of the store's calls.
    await store.transaction(async (tx) => [await tx.get('a'), await tx.getMany(['a', 'b'])])
    const ends = gets.filter(({ stage }) => stage === 'end')
    expect(ends.map(({ message }) => [message['operation'], message['result']])).toEqual([
      ['get', value],
      ['getSync', value],
      ['getMany', [value, undefined]],
    ])
  })

  test('tell of errors, which callers get, too', async () => {
    const puts = trace('wisc:put')
    const gets = trace('wisc:get')
    const code = 'WISC_INVALID_ARGUMENT'
    await expect(store.put('a', 7 as never)).rejects.toMatchObject({ code })
    expect(() => store.getSync(7 as never)).toThrow(expect.objectContaining({ code }))
    for (const told of [puts, gets]) {
      const errors = told.filter(({ stage }) => stage === 'error')
      expect(errors.map(({ message }) => message['error'])).toEqual([
        expect.objectContaining({ code }),
      ])
    }
  })

  test('nothing is done for them before somebody listens, nor after', async () => {
    const later = vi.spyOn(TracedCalls.prototype, 'later')
    const now = vi.spyOn(TracedCalls.prototype, 'now')
    const call = async (): Promise<number> => {
      await store.put('a', '1')
      await store.get('a')
      store.getSync('a')
      return later.mock.calls.length + now.mock.calls.length
    }
    expect(await call()).toBe(0)
    const listener = (): void => {}
    subscribe('tracing:wisc:put:start', listener)
    expect(await call()).toBe(1)
    unsubscribe('tracing:wisc:put:start', listener)
    expect(await call()).toBe(1)
    store.metrics()
    expect(await call()).toBe(4)
  })
})

test('what is emitted is published, with the path of the store', async () => {
  const names = [
    'flush',
    'compaction',
    'collection',
    'evicted',
    'stall',
    'advanced',
    'warning',
  ] as const
  const published: [string, unknown][] = []
  const emitted: [string, unknown][] = []
  for (const name of names) {
    const listener = (message: unknown): void => void published.push([name, message])
    subscribe(`wisc:${name}`, listener)
    onTestFinished(() => void unsubscribe(`wisc:${name}`, listener))
    store.on(name, (event: object | string) => {
      const told = typeof event === 'string' ? { message: event } : event
      emitted.push([name, { path: DIRECTORY, ...told }])
    })
  }
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 12; i++) await store.put(`key${i}`, Buffer.alloc(9000, round))
    await store.compact()
  }
  await store.collect({ targetSpaceAmplification: 1 })
  const { events } = engineOf(store)
  events.emit('evicted', { segments: 1, streams: 0, bytes: 1, belowSequence: 9, ms: 1 })
  events.emit('stall', { ms: 12 })
  events.emit('advanced', { previousSequence: 1, lastSequence: 2 })
  events.emit('warning', 'something')
  expect(published).toEqual(emitted)
  expect(new Set(published.map(([name]) => name))).toEqual(new Set(names))
})

describe('metrics', () => {
  const valueIn = (families: Map<string, MetricFamily>, name: string): number => {
    const family = families.get(name.replace(/_(count|sum)$/, '')) ?? families.get(name)
    return family!.samples.find((sample) => sample.name === name)!.value
  }

  test('are what stats says, in base units', async () => {
    for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(2000))
    await store.flush()
    const snapshot = store.snapshot()
    const stats = store.stats()
    const families = readMetrics(store.metrics())
    snapshot.close()
    for (const [name, expected] of [
      ['wisc_live_bytes', stats.liveBytes],
      ['wisc_disk_bytes', stats.diskBytes],
      ['wisc_user_written_bytes_total', stats.userBytesWritten],
      ['wisc_open_snapshots', 1],
      ['wisc_last_sequence', 100],
      ['wisc_background_error', 0],
      ['wisc_stall_seconds_total', stats.stalls.ms / 1000],
      ['wisc_flush_duration_seconds_count', stats.flushes],
    ] as const) {
      expect(valueIn(families, name), name).toBe(expected)
    }
    const written = families.get('wisc_written_bytes_total')!.samples
    expect(written.find(({ labels }) => labels['to'] === 'log')!.value).toBe(stats.logBytesWritten)
    expect(families.get('wisc_level_tables')!.samples.length).toBe(stats.levels.length)
  })

  test('time calls from the first time on that they are asked for, failed ones, too', async () => {
    await store.put('a', '1')
    const first = readMetrics(store.metrics())
    expect(valueIn(first, 'wisc_put_duration_seconds_count')).toBe(0)
    await store.put('a', '1')
    await store.write([{ type: 'delete', key: 'a' }])
    await expect(store.put('a', '1', { if: { present: true } })).rejects.toThrow()
    store.getSync('a')
    await store.get('a')
    const second = readMetrics(store.metrics())
    expect(valueIn(second, 'wisc_put_duration_seconds_count')).toBe(3)
    expect(valueIn(second, 'wisc_get_duration_seconds_count')).toBe(2)
    expect(valueIn(second, 'wisc_put_duration_seconds_sum')).toBeGreaterThan(0)
    // Counters and buckets only grow.
    for (const [name, { type, samples }] of first) {
      if (type === 'gauge') continue
      const later = second.get(name)!.samples
      expect(later.length).toBe(samples.length)
      for (const [i, sample] of samples.entries()) {
        expect(later[i], sample.name).toMatchObject({ name: sample.name, labels: sample.labels })
        expect(later[i]!.value, sample.name).toBeGreaterThanOrEqual(sample.value)
      }
    }
  })

  test('of a store that only reads are there, of one that is closed are not', async () => {
    await store.put('a', '1')
    const beside = await openStore(DIRECTORY, { readOnly: true }, { fileSystem })
    const families = readMetrics(beside.metrics())
    expect(valueIn(families, 'wisc_last_sequence')).toBe(1)
    // Its options say nothing of the writer's.
    expect(families.has('wisc_segment_size_bytes')).toBe(false)
    await beside.close()
    expect(() => beside.metrics()).toThrow(expect.objectContaining({ code: 'WISC_NOT_OPEN' }))
  })

  test('leave out what can be computed, and nothing else', () => {
    const leftOut = [
      // Quotients.
      ...['spaceAmplification', 'writeAmplification'],
      // Sums over levels, counts of histograms.
      ...['tables', 'flushes', 'compactions'],
      // What an open has found.
      'recovery',
    ]
    const code = fs.readFileSync(PROMETHEUS, 'utf8')
    const missing = fieldsOf('Stats').filter(
      (name) => !new RegExp(`(\\bs\\.|\\{ )${name}\\b`).test(code),
    )
    expect(missing.sort()).toEqual(leftOut.sort())
    const ofLevels = fieldsOf('LevelStats').filter((name) => !code.includes(`ofLevels('${name}')`))
    expect(ofLevels).toEqual([])
  })

  const MAX_BYTES = 2 ** 24
  const BOUNDED = { targetSpaceAmplification: 1.5, maxBytesOnDisk: MAX_BYTES }

  /** Of a store with these options. */
  async function textOf(options: Options): Promise<string> {
    const opened = await openSmallStore(options, new FaultFileSystem())
    return opened.metrics()
  }

  test('have the bounds that the options set', async () => {
    const boundsOf = async (options: Options): Promise<Record<string, number>> => {
      const families = readMetrics(await textOf(options))
      const names = [...families.keys()].filter((name) => /_(target|size|max)(_|$)/.test(name))
      return Object.fromEntries(names.map((name) => [name, valueIn(families, name)]))
    }
    const ofAll = { wisc_segment_size_bytes: 65536 }
    expect(await boundsOf({ collector: { enabled: false } })).toEqual(ofAll)
    expect(await boundsOf({ collector: BOUNDED })).toEqual({
      ...ofAll,
      wisc_space_amplification_target: 1.5,
      wisc_disk_max_bytes: MAX_BYTES,
    })
    expect(await boundsOf({ cache: { maxBytes: MAX_BYTES } })).toEqual({
      ...ofAll,
      wisc_cache_max_bytes: MAX_BYTES,
    })
  })

  test('have the names that the page of operations asks for', async () => {
    const cache = { maxBytes: MAX_BYTES }
    const text = (await textOf({ collector: BOUNDED })) + (await textOf({ cache }))
    const asked = readPage('docs/operations.md').match(/\bwisc_[a-z_]+\b/g) ?? []
    expect(asked.length).toBeGreaterThan(20)
    expect(asked.filter((name) => !new RegExp(`(^| )${name}[ {]`, 'm').test(text))).toEqual([])
  })

  const promtool = spawnSync('promtool', ['--version'])
  describe.skipIf(promtool.error !== undefined)('please promtool', () => {
    test.each([
      ['metrics', () => store.metrics()],
      ['rules', () => blocksOf(readPage('docs/operations.md'), 'yaml')[1]!],
    ])('%s', (kind, text) => {
      const words = kind === 'rules' ? ['check', 'rules', '/dev/stdin'] : ['check', 'metrics']
      const { status, stderr } = spawnSync('promtool', words, { input: text(), encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
    })
  })
})
