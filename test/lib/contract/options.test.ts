/** Options: every default, both ends of every limit, and nothing unknown. */
import { describe, expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import { type Options, resolveOptions } from '#dist/lib/contract/options.js'

const MIB = 1024 * 1024

function refused(options: unknown): string {
  try {
    resolveOptions(options as Options)
  } catch (error) {
    expect(error).toBeInstanceOf(WiscError)
    expect(error).toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    return (error as WiscError).message
  }
  return expect.unreachable(`was accepted: ${JSON.stringify(options)}`)
}

test('defaults', () => {
  expect(resolveOptions({})).toEqual({
    createIfMissing: true,
    errorIfExists: false,
    readOnly: false,
    follow: false,
    sync: false,
    compression: 'none',
    compressionLevel: 3,
    controlSocket: process.platform !== 'win32',
    valueThreshold: 1024,
    streamThreshold: MIB,
    segmentBytes: 64 * MIB,
    memtableBytes: 16 * MIB,
    maxUnflushedLogBytes: 512 * MIB,
    maxPendingBytes: 64 * MIB,
    blockCacheBytes: 64 * MIB,
    valueCacheBytes: 0,
    maxOpenFiles: 512,
    workers: 2,
    syncIntervalMs: undefined,
    transactions: { maxReadSetBytes: 67_108_864, maxAgeMs: 60_000 },
    tree: {
      sizeRatio: 10,
      runsPerLevel: 1,
      runsAtLargestLevel: 1,
      tableBytes: 4 * MIB,
      blockBytes: 4096,
      filterBitsPerKey: 10,
    },
    collector: {
      enabled: true,
      targetSpaceAmplification: 1.3,
      maxBytesOnDisk: undefined,
      bytesPerSecond: undefined,
      punchHoles: true,
      prefer: 'balanced',
    },
  })
})

test('maxBytesOnDisk: what has no size of its own fits into the reserve', () => {
  const sizes = (options: Options): number[] => {
    const { segmentBytes, memtableBytes } = resolveOptions(options)
    return [segmentBytes, memtableBytes]
  }
  const collector = { maxBytesOnDisk: 160 * MIB }
  expect(sizes({ collector })).toEqual([10 * MIB, 10 * MIB])
  expect(sizes({ collector, segmentBytes: 64 * MIB })).toEqual([64 * MIB, 10 * MIB])
  expect(sizes({ collector, memtableBytes: 32 * MIB })).toEqual([10 * MIB, 32 * MIB])
  expect(sizes({ collector: { maxBytesOnDisk: 1024 * MIB } })).toEqual([64 * MIB, 16 * MIB])
  expect(sizes({ collector: { maxBytesOnDisk: MIB } })).toEqual([65_536, 65_536])
})

test('undefined means the default', () => {
  const options = {
    sync: undefined,
    workers: undefined,
    tree: undefined,
    syncIntervalMs: undefined,
    collector: undefined,
  }
  expect(resolveOptions(options as unknown as Options)).toEqual(resolveOptions({}))
})

const LIMITS: readonly (readonly [string, number, number])[] = [
  ['valueThreshold', 0, Number.MAX_SAFE_INTEGER],
  ['segmentBytes', 4096, 4096 * MIB],
  ['memtableBytes', 65536, 256 * MIB],
  ['maxUnflushedLogBytes', 65536, Number.MAX_SAFE_INTEGER],
  ['maxPendingBytes', 65536, Number.MAX_SAFE_INTEGER],
  ['blockCacheBytes', 0, Number.MAX_SAFE_INTEGER],
  ['valueCacheBytes', 0, Number.MAX_SAFE_INTEGER],
  ['maxOpenFiles', 16, 1_000_000],
  ['workers', 0, 64],
  ['syncIntervalMs', 1, 2 ** 31 - 1],
]

describe.each(LIMITS)('%s', (name, min, max) => {
  test('takes integers of its range and nothing else', () => {
    for (const value of [min, max])
      expect(resolveOptions({ [name]: value })).toMatchObject({ [name]: value })
    for (const value of [min - 1, max + 1, min + 0.5, -1, Number.NaN, '5', null, true, {}, 5n]) {
      expect(refused({ [name]: value })).toContain(name)
    }
    if (name !== 'valueThreshold') refused({ [name]: Number.POSITIVE_INFINITY })
  })
})

test('valueThreshold may be Infinity', () => {
  expect(resolveOptions({ valueThreshold: Number.POSITIVE_INFINITY }).valueThreshold).toBe(
    Number.POSITIVE_INFINITY,
  )
})

test.each([
  ['sizeRatio', 2, 100],
  ['tableBytes', 4096, 256 * MIB],
  ['blockBytes', 256, MIB],
  ['filterBitsPerKey', 0, 32],
])('tree.%s takes %i to %i', (name, min, max) => {
  for (const value of [min, max])
    expect(resolveOptions({ tree: { [name]: value } }).tree).toMatchObject({ [name]: value })
  for (const value of [min - 1, max + 1, '5', null])
    expect(refused({ tree: { [name]: value } })).toContain(`tree.${name}`)
})

test('runs of a level lie below the size ratio', () => {
  const tree = { sizeRatio: 4, runsPerLevel: 3, runsAtLargestLevel: 3 }
  expect(resolveOptions({ tree }).tree).toMatchObject(tree)
  refused({ tree: { sizeRatio: 4, runsPerLevel: 4 } })
  refused({ tree: { sizeRatio: 4, runsAtLargestLevel: 4 } })
  refused({ tree: { runsPerLevel: 0 } })
})

test.each(['createIfMissing', 'errorIfExists', 'readOnly', 'sync'])('%s is a boolean', (name) => {
  expect(resolveOptions({ [name]: true })).toMatchObject({ [name]: true })
  for (const value of [0, 1, 'true', null]) expect(refused({ [name]: value })).toContain(name)
})

test.each([
  ['targetSpaceAmplification', [1.01, 1.3, 100], [1, 1.009, 100.1, Number.NaN, '1.3', null]],
  [
    'maxBytesOnDisk',
    [MIB, Number.MAX_SAFE_INTEGER],
    [MIB - 1, MIB + 0.5, '5', null, Number.POSITIVE_INFINITY],
  ],
  ['bytesPerSecond', [4096, Number.MAX_SAFE_INTEGER], [4095, 0, 5000.5, '5', null]],
  ['enabled', [true, false], [0, 1, 'true', null]],
  ['punchHoles', [true, false], [0, 1, 'true', null]],
  ['prefer', ['speed', 'endurance', 'balanced'], ['fast', '', 'toString', 1, true, null]],
] as const)('collector.%s takes what it can and nothing else', (name, good, bad) => {
  for (const value of good) {
    expect(resolveOptions({ collector: { [name]: value } }).collector).toMatchObject({
      [name]: value,
    })
  }
  for (const value of bad) expect(refused({ collector: { [name]: value } })).toContain(name)
})

test('what is unknown is refused, names that every object has included', () => {
  for (const name of [
    'valuethreshold',
    'caches',
    'toString',
    'constructor',
    'hasOwnProperty',
    '',
  ]) {
    expect(refused({ [name]: 5 })).toContain('unknown option')
    expect(refused({ tree: { [name]: 5 } })).toContain('unknown option')
    expect(refused({ collector: { [name]: 5 } })).toContain('unknown option')
  }
})

test('compression is none or zstd, of levels 1 to 19', () => {
  expect(resolveOptions({ compression: 'zstd', compressionLevel: 19 })).toMatchObject({
    compression: 'zstd',
    compressionLevel: 19,
  })
  expect(refused({ compression: 'lz4' })).toContain("must be 'none' or 'zstd'")
  expect(refused({ compression: null })).toContain("must be 'none' or 'zstd'")
  for (const compressionLevel of [0, 20, 1.5, '3'])
    expect(refused({ compressionLevel })).toContain(
      'compressionLevel must be an integer of 1 to 19',
    )
})

test('anything but an object is refused', () => {
  for (const value of [null, 5, 'x', [], true]) {
    refused(value)
    refused({ tree: value })
    refused({ collector: value })
  }
})
