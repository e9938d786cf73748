/**
 * Tidiness: what neither the compiler nor the linter checks, after TigerBeetle's tidy.zig.
 *
 * Who may import whom, cycles (type-only ones too), headers, lengths of lines and files, empty catches,
 * banned calls with what to use instead, dead files, and that every invariant is cited by a test.
 */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = path.dirname(import.meta.dirname)
/** The formatter holds code to 100 columns; prose and drawings in comments, and strings, may take more. */
const COLUMNS_MAX = 120
const LINES_MAX = 400
const FACE = 'lib/index.ts'

const BASE = ['lib/base', 'lib/base/files']
const PLATFORM = 'lib/base/platform'
const TREE = ['lib/tree', 'lib/tree/memtable', 'lib/tree/table', 'lib/tree/version']
const LOG = ['vlog', 'vlog/log', 'vlog/relocation']
/** What every room of the store may stand on. */
const GROUND = [...BASE, ...TREE, 'lib/tree/compaction', ...LOG, 'vlog/read', 'lib/contract']
const INSPECT = [
  'lib/inspect',
  'lib/inspect/dump',
  'lib/inspect/collection',
  'lib/inspect/owner',
  'lib/inspect/salvage',
]

/**
 * The house from the ground up: each room, which is a folder without the folders in it, and what it may import besides
 * itself. A room names rooms above it in this list only, so that all arrows go down; a name with a dot is one file.
 */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  'lib/base': [],
  'lib/base/files': ['lib/base'],
  [PLATFORM]: BASE,
  'lib/tree': BASE,
  'lib/tree/memtable': [...BASE, 'lib/tree'],
  'lib/tree/table': [...BASE, 'lib/tree'],
  'lib/tree/version': [...BASE, 'lib/tree', 'lib/tree/table'],
  'lib/tree/compaction': [...BASE, ...TREE],
  vlog: BASE,
  'vlog/log': [...BASE, 'vlog'],
  'vlog/relocation': [...BASE, 'vlog'],
  'vlog/collect': [...BASE, ...LOG],
  'vlog/read': [...BASE, ...LOG],
  'lib/jobs': [...BASE, PLATFORM, ...TREE, 'lib/tree/compaction', 'vlog/collect', 'vlog/read'],
  'lib/contract': ['lib/base', 'lib/tree', 'lib/tree/memtable', 'vlog'],
  'lib/state': GROUND,
  'lib/writes': [...GROUND, 'lib/state'],
  'lib/recovery': [...GROUND, 'lib/state'],
  'lib/background': [...GROUND, 'lib/jobs', 'lib/state'],
  'lib/space': [...GROUND, 'lib/state'],
  'lib/reads': [...GROUND, 'lib/state', 'lib/recovery', 'lib/space'],
  'lib/collector/plan': [...GROUND, 'lib/space'],
  'lib/collector/pace': [
    ...GROUND,
    'lib/jobs',
    'lib/background',
    'lib/space',
    'lib/collector/plan',
  ],
  'lib/collector/act': [
    ...GROUND,
    'vlog/collect',
    'lib/jobs',
    'lib/state',
    'lib/space',
    'lib/collector/plan',
  ],
  'lib/collector': [
    ...GROUND,
    'lib/jobs',
    'lib/background',
    'lib/space',
    'lib/reads',
    'lib/collector/plan',
    'lib/collector/pace',
    'lib/collector/act',
  ],
  'lib/engine': [
    ...GROUND,
    PLATFORM,
    'lib/jobs',
    'lib/state',
    'lib/writes',
    'lib/recovery',
    'lib/background',
    'lib/space',
    'lib/reads',
    'lib/collector',
  ],
  'lib/reports': [...GROUND, 'lib/state', 'lib/recovery', 'lib/space', 'lib/reads', 'lib/engine'],
  'lib/control': [...GROUND, PLATFORM, 'lib/state', 'lib/reports'],
  'lib/store': [
    ...GROUND,
    PLATFORM,
    'lib/jobs',
    'lib/state',
    'lib/recovery',
    'lib/reads',
    'lib/engine',
    'lib/reports',
    'lib/control',
  ],
  lib: ['lib/base', 'lib/contract', 'lib/recovery', 'lib/reports', 'lib/store'],
  // For the wisc command.
  'lib/inspect/dump': [...GROUND, PLATFORM],
  'lib/inspect': [...GROUND, PLATFORM, 'lib/recovery', 'lib/reads', 'lib/inspect/dump'],
  'lib/inspect/collection': [
    ...GROUND,
    'vlog/collect',
    'lib/jobs',
    'lib/state',
    'lib/space',
    'lib/reads',
    'lib/collector/plan',
    'lib/collector',
    'lib/engine',
    'lib/reports',
    'lib/control',
    'lib/store',
  ],
  'lib/inspect/owner': [...GROUND, PLATFORM, 'lib/reads', 'lib/control', 'lib/store'],
  'lib/inspect/salvage': [...GROUND, PLATFORM, 'lib/recovery', 'lib/store', 'lib/inspect/dump'],
  'tools/terminal': [FACE, ...INSPECT],
  tools: [FACE, ...INSPECT, 'tools/terminal'],
  // The command as users start it: the bundle.
  bench: [FACE, 'bin/wisc.ts'],
  // Measures a single part, so it must reach it.
  'bench/micro': [...GROUND, PLATFORM, 'vlog/collect'],
  scripts: [],
  test: [],
}
const ROOMS = Object.keys(EDGES)
/** A newcomer should see at one glance what a room holds. */
const FILES_MAX = 24

/** Files that nobody imports: they are started by name. */
const ENTRY_POINTS = [
  /^lib\/index\.ts$/,
  /^tools\/wisc\.ts$/,
  /^bench\/main\.ts$/,
  /^bench\/(micro|special)\//,
  /^scripts\//,
  /\.test\.ts$/,
  /^test\/crash\/kill-child\.ts$/,
  /^test\/stress\/(main|beside)\.ts$/,
  /^test\/golden\/make\.ts$/,
]

const ENGINE = /^(lib|vlog)\//
const BANNED: readonly { what: RegExp; where: RegExp; but?: RegExp; instead: string }[] = [
  { what: /\bMath\.random\b/, where: ENGINE, instead: 'Random of lib/base/random.ts' },
  { what: /\bDate\.now\b/, where: ENGINE, instead: 'performance.now() for intervals' },
  { what: /\bnew Date\(\)/, where: ENGINE, instead: 'nothing: clocks decide nothing here' },
  { what: /\bconsole\./, where: ENGINE, instead: "an event, such as 'warning'" },
  {
    what: /['"](node:)?fs(\/promises)?['"]/,
    where: ENGINE,
    but: /^lib\/base\/platform\/(flock|node-(descriptors|file|file-system|lock-file|socket|socket-place))\.ts$/,
    instead: 'FileSystem of lib/base/files/file-system.ts',
  },
  {
    what: /['"](node:)?net['"]/,
    where: ENGINE,
    but: /^lib\/base\/platform\/node-socket\.ts$/,
    instead: 'lib/base/platform/node-socket.ts',
  },
  {
    what: /['"]xxhash-addon['"]/,
    where: ENGINE,
    but: /^lib\/base\/checksum\.ts$/,
    instead: 'checksum()',
  },
  {
    what: /['"]fs-native-extensions['"]/,
    where: ENGINE,
    but: /^lib\/base\/platform\/native-extensions\.ts$/,
    instead: 'FileSystem.lock, File.punch',
  },
  { what: /AbortSignal\.any\b/, where: ENGINE, instead: 'linkSignals(), which can be unlinked' },
  { what: /\bas any\b|: any\b|<any>/, where: ENGINE, instead: 'unknown' },
]

interface Source {
  readonly name: string
  readonly text: string
  /** Without comments. */
  readonly code: string
  /** The files of the project that it imports or starts by URL. */
  readonly imports: readonly string[]
}

function listFiles(directory: string): string[] {
  const absolute = path.join(ROOT, directory)
  if (!fs.existsSync(absolute)) return []
  return fs
    .readdirSync(absolute, { recursive: true, encoding: 'utf8' })
    .map((name) => `${directory}/${name.replaceAll(path.sep, '/')}`)
    .filter((name) => /\.(ts|mjs)$/.test(name))
}

function importsOf(name: string, code: string): string[] {
  const specifiers = [
    ...code.matchAll(/^(?:import|export)\b[^'";]*?\bfrom '([^']+)'/gm),
    ...code.matchAll(/^import '([^']+)'/gm),
    ...code.matchAll(/\bimport\('([^']+)'\)/g),
    ...code.matchAll(/\bnew URL\(\s*'([^']+)',\s*import\.meta\.url/g),
  ].map((match) => match[1]!)
  return specifiers.flatMap((specifier) => {
    const target = specifier.startsWith('#dist/')
      ? specifier.slice('#dist/'.length)
      : path.posix.join(path.posix.dirname(name), specifier)
    const isOurs = /^[.#]/.test(specifier) && /\.(ts|js|mjs)$/.test(specifier)
    return isOurs ? [target.replace(/\.js$/, '.ts')] : []
  })
}

function readSource(name: string): Source {
  const text = fs.readFileSync(path.join(ROOT, name), 'utf8')
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[^:'"`])\/\/.*$/gm, '$1')
  return { name, text, code, imports: importsOf(name, code) }
}

const SOURCES = ['lib', 'vlog', 'tools', 'bench', 'scripts', 'test']
  .flatMap(listFiles)
  .map(readSource)
const BY_NAME = new Map(SOURCES.map((source) => [source.name, source]))

function roomOf(name: string): string {
  const rooms = ROOMS.filter((room) => name.startsWith(`${room}/`))
  return rooms.reduce((best, room) => (room.length > best.length ? room : best), '')
}

function mayImport(source: Source, target: string): boolean {
  const from = roomOf(source.name)
  const to = roomOf(target)
  if (from === 'test') return true
  if (EDGES[from]!.includes(target)) return true
  // The face is for those outside: whoever is inside imports the file that it means.
  if (target === FACE) return false
  return from === to || EDGES[from]!.includes(to)
}

/** The first cycle that can be reached from a file, as the list of its files. */
function findCycle(
  name: string,
  trail: readonly string[],
  seen: Set<string>,
): string[] | undefined {
  const start = trail.indexOf(name)
  if (start >= 0) return [...trail.slice(start), name]
  if (seen.has(name)) return undefined
  seen.add(name)
  for (const target of BY_NAME.get(name)?.imports ?? []) {
    const cycle = findCycle(target, [...trail, name], seen)
    if (cycle) return cycle
  }
  return undefined
}

/** Complaints, one for each source that has any. */
function complaints(of: (source: Source) => string | undefined): string[] {
  return SOURCES.flatMap((source) => {
    const complaint = of(source)
    return complaint === undefined ? [] : [`${source.name}: ${complaint}`]
  })
}

describe('rooms', () => {
  test('each file lies in a room and imports only what its room may', () => {
    const found = complaints(({ name }) => (roomOf(name) === '' ? 'in no room' : undefined))
    for (const source of SOURCES) {
      for (const target of source.imports) {
        if (!mayImport(source, target)) found.push(`${source.name} must not import ${target}`)
      }
    }
    expect(found).toEqual([])
  })

  test('a room stands only on rooms that are listed above it', () => {
    const up = ROOMS.flatMap((room, index) =>
      EDGES[room]!.filter((below) => ROOMS.includes(below) && ROOMS.indexOf(below) >= index).map(
        (below) => `${room} must not stand on ${below}`,
      ),
    )
    expect(up).toEqual([])
  })

  test('a room names no room that it does not use', () => {
    const used = new Set(
      SOURCES.flatMap(({ name, imports }) =>
        imports.map((target) => `${roomOf(name)} > ${roomOf(target)}`),
      ),
    )
    const groups = new Set([...GROUND, ...INSPECT])
    const idle = ROOMS.flatMap((room) =>
      EDGES[room]!.filter(
        (below) => ROOMS.includes(below) && !groups.has(below) && !used.has(`${room} > ${below}`),
      ).map((below) => `${room} does not import ${below}`),
    )
    expect(idle).toEqual([])
  })

  test(`a folder of the engine holds at most ${FILES_MAX} files`, () => {
    const counts = new Map<string, number>()
    for (const { name } of SOURCES) {
      if (!ENGINE.test(name)) continue
      const folder = path.posix.dirname(name)
      counts.set(folder, (counts.get(folder) ?? 0) + 1)
    }
    expect([...counts].filter(([, count]) => count > FILES_MAX)).toEqual([])
  })

  test('no file imports itself through others', () => {
    const seen = new Set<string>()
    const cycles = SOURCES.flatMap(({ name }) => findCycle(name, [], seen)?.join(' > ') ?? [])
    expect(cycles).toEqual([])
  })

  test('every file is imported by another one or is an entry point', () => {
    const imported = new Set(
      SOURCES.flatMap(({ name, imports }) => imports.map((target) => ({ name, target })))
        // A test does not keep a source alive.
        .filter(({ name, target }) => roomOf(name) !== 'test' || roomOf(target) === 'test')
        .map(({ target }) => target),
    )
    const dead = SOURCES.map(({ name }) => name).filter(
      (name) => !imported.has(name) && !ENTRY_POINTS.some((entry) => entry.test(name)),
    )
    expect(dead).toEqual([])
  })
})

describe('text', () => {
  test('each file begins with a comment that says what it is', () => {
    expect(
      complaints(({ text }) => (/^(#!.*\n)?\/\*\*/.test(text) ? undefined : 'no header comment')),
    ).toEqual([])
  })

  test(`lines have at most ${COLUMNS_MAX} columns`, () => {
    expect(
      complaints(({ text }) => {
        const index = text.split('\n').findIndex((line) => line.length > COLUMNS_MAX)
        return index < 0 ? undefined : `line ${index + 1} is too long`
      }),
    ).toEqual([])
  })

  test(`files have at most ${LINES_MAX} lines`, () => {
    expect(
      complaints(({ text }) => {
        const lines = text.split('\n').length - 1
        return lines > LINES_MAX ? `${lines} lines` : undefined
      }),
    ).toEqual([])
  })

  test('no catch is empty or holds only a comment', () => {
    expect(
      complaints(({ code }) =>
        /\bcatch\s*(\([^)]*\)\s*)?\{\s*\}|\.catch\(\(\w*\) => (\{\s*\}|undefined)\)/.test(code)
          ? 'rethrow, translate with a cause, or record it'
          : undefined,
      ),
    ).toEqual([])
  })

  test('nothing banned is used', () => {
    const found = BANNED.flatMap(({ what, where, but, instead }) =>
      complaints(({ name, code }) => {
        if (name === 'test/tidy.test.ts' || !where.test(name) || but?.test(name)) return undefined
        const match = what.exec(code)
        return match ? `${match[0]} is banned; use ${instead}` : undefined
      }),
    )
    const marker = ['FIX', 'ME'].join('')
    found.push(
      ...complaints(({ text }) => (text.includes(marker) ? `${marker}: do it` : undefined)),
    )
    expect(found).toEqual([])
  })
})

test('every invariant of ARCHITECTURE.md is cited by a test', () => {
  const architecture = path.join(ROOT, 'ARCHITECTURE.md')
  expect(fs.existsSync(architecture), 'ARCHITECTURE.md is missing; it states I1 to I12').toBe(true)
  const stated = new Set(fs.readFileSync(architecture, 'utf8').match(/\bI\d+\b/g))
  const tests = SOURCES.filter(({ name }) => /\.test\.ts$/.test(name))
  const cited = new Set(tests.flatMap(({ code }) => code.match(/\bI\d+\b/g) ?? []))
  for (let i = 1; i <= 12; i++) expect([...stated], 'stated in ARCHITECTURE.md').toContain(`I${i}`)
  const missing = [...stated].filter((invariant) => !cited.has(invariant))
  expect(missing, 'stated, but no test cites it').toEqual([])
})
