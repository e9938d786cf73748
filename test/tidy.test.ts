/**
 * Tidiness: what neither the compiler nor the linter checks, after TigerBeetle's tidy.zig.
 *
 * The walls of the house: who may import whom, cycles (type-only ones too), names of types, files in a folder, dead
 * files. The text: headers, lengths of lines and files, empty catches, banned calls with what to use instead. And that
 * every invariant is cited by a test. `npm run lint:layers` runs this file alone.
 */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { findCycle, SOURCES, type Source } from './support/sources.ts'

const ROOT = path.dirname(import.meta.dirname)
/** The formatter holds code to 100 columns; prose and drawings in comments, and strings, may take more. */
const COLUMNS_MAX = 120
const LINES_MAX = 400
const FACE = 'lib/index.ts'

const BASE = ['lib/base', 'lib/base/files']
const PLATFORM = 'lib/base/platform'
const TREE = ['lib/tree', 'lib/tree/memtable', 'lib/tree/table', 'lib/tree/version']
const LOG = ['vlog', 'vlog/log', 'vlog/relocation']
const VALUES = ['vlog/collect', 'vlog/read']
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
  'lib/jobs': [...BASE, PLATFORM, ...TREE, 'lib/tree/compaction', 'vlog/relocation', ...VALUES],
  'lib/contract': ['lib/base', 'lib/tree', 'lib/tree/memtable', 'vlog'],
  'lib/state': GROUND,
  'lib/writes': [...GROUND, 'lib/state'],
  'lib/recovery': [...GROUND, 'lib/state'],
  'lib/background': [...GROUND, 'lib/jobs', 'lib/state'],
  'lib/space': [...GROUND, 'lib/state'],
  'lib/reads': [...GROUND, 'lib/state', 'lib/space'],
  // It is pure: there is no file in its reach.
  'lib/collector/plan': [
    'lib/base',
    'lib/tree/version',
    'vlog/relocation',
    'lib/contract',
    'lib/space',
  ],
  'lib/collector/pace': [
    'lib/base',
    'vlog/log',
    'lib/contract',
    'lib/jobs',
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
    'lib/collector/pace',
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
  'lib/reports': [...GROUND, 'lib/state', 'lib/space', 'lib/reads', 'lib/engine'],
  'lib/control': ['lib/base', PLATFORM, 'lib/contract', 'lib/state', 'lib/reports'],
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
  lib: ['lib/base', 'lib/contract', 'lib/reports', 'lib/store'],
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
  'bench/micro': [
    ...GROUND,
    FACE,
    PLATFORM,
    'vlog/collect',
    'lib/state',
    'lib/space',
    'lib/collector/plan',
  ],
  scripts: [],
  test: [],
}
const ROOMS = Object.keys(EDGES)
/** A newcomer should see at one glance what a room holds. */
const FILES_MAX = 20

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

/** What somebody does who has run into a wall. */
function wall(name: string, target: string): string {
  const [from, to] = [roomOf(name), roomOf(target)]
  const above = ROOMS.indexOf(to) > ROOMS.indexOf(from)
  const advice = above
    ? `${to} lies above ${from}: move what both need down, or let the caller hand it in`
    : `if ${from} really stands on ${to}, name it in EDGES of test/tidy.test.ts and in ARCHITECTURE.md`
  return `${name} must not import ${target} (${advice})`
}

/** Complaints, one for each source that has any. */
function complaints(of: (source: Source) => string | undefined): string[] {
  return SOURCES.flatMap((source) => {
    const complaint = of(source)
    return complaint === undefined ? [] : [`${source.name}: ${complaint}`]
  })
}

/** Names that several files of the store declare, where one of them exports its own. */
function declaredTwice(declaration: RegExp): string[] {
  const places = new Map<string, { name: string; isExported: boolean }[]>()
  for (const { name, code } of SOURCES) {
    if (!ENGINE.test(name)) continue
    for (const match of code.matchAll(declaration)) {
      const found = places.get(match[2]!) ?? []
      places.set(match[2]!, [...found, { name, isExported: match[1] !== undefined }])
    }
  }
  return [...places]
    .filter(([, found]) => found.length > 1 && found.some(({ isExported }) => isExported))
    .map(([what, found]) => {
      const files = found.map(({ name }) => name).join(', ')
      return `${what} is declared in ${files}: one concept, one name, one type`
    })
}

describe('rooms', () => {
  test('each file lies in a room and imports only what its room may', () => {
    const found = complaints(({ name }) =>
      roomOf(name) === '' ? 'in no room: name its folder in EDGES of test/tidy.test.ts' : undefined,
    )
    for (const source of SOURCES) {
      for (const target of source.imports) {
        if (!mayImport(source, target)) found.push(wall(source.name, target))
      }
    }
    expect(found).toEqual([])
  })

  test('a room stands only on rooms that are listed above it', () => {
    const up = ROOMS.flatMap((room, index) =>
      EDGES[room]!.filter((below) => ROOMS.includes(below) && ROOMS.indexOf(below) >= index).map(
        (below) => `${room} must not stand on ${below}, which EDGES lists behind it`,
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
      ).map((below) => `${room} does not import ${below}: take it out of EDGES`),
    )
    expect(idle).toEqual([])
  })

  test(`a folder holds at most ${FILES_MAX} files`, () => {
    const counts = new Map<string, number>()
    for (const { name } of SOURCES) {
      const folder = path.posix.dirname(name)
      counts.set(folder, (counts.get(folder) ?? 0) + 1)
    }
    const full = [...counts].filter(([, count]) => count > FILES_MAX)
    expect(full.map(([folder, count]) => `${folder}: ${count} files, make a room of some`)).toEqual(
      [],
    )
  })

  test('what is exported has a name of its own in the store: types among all, functions among these', () => {
    const type = /^(export )?(?:abstract )?(?:interface|type|class) (\w+)/gm
    const exportedFunction = /^(export )(?:async )?function\*? (\w+)/gm
    expect([...declaredTwice(type), ...declaredTwice(exportedFunction)]).toEqual([])
  })

  test('no file imports itself through others', () => {
    const seen = new Set<string>()
    const cycles = SOURCES.flatMap(({ name }) => findCycle(name, [], seen)?.join(' > ') ?? [])
    expect(cycles, 'a part that both need goes into a file below both').toEqual([])
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
    expect(dead, 'remove it, or name it in ENTRY_POINTS').toEqual([])
  })
})

describe('text', () => {
  test('each file begins with a comment that says what it is', () => {
    expect(
      complaints(({ text }) =>
        /^(#!.*\n)?\/\*\*/.test(text) ? undefined : 'begin it with /** what it is for */',
      ),
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
        return lines > LINES_MAX ? `${lines} lines: give a part of it a file` : undefined
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
