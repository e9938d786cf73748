/**
 * Tidiness: what neither the compiler nor the linter checks, after TigerBeetle's tidy.zig.
 *
 * The house: who may import whom (support/walls.ts), cycles (type-only ones too), names of types, files in a folder,
 * dead files. The text: headers, lengths of lines and files, empty catches, banned calls with what to use instead. And
 * that every invariant is cited by a test. `npm run lint:layers` runs this file alone.
 */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { findCycle, SOURCES, type Source } from './support/sources.ts'
import { brokenWalls, idleWalls, upwardWalls } from './support/walls.ts'

const ROOT = path.dirname(import.meta.dirname)
/** The formatter holds code to 100 columns; prose and drawings in comments, and strings, may take more. */
const COLUMNS_MAX = 120
const LINES_MAX = 400
/** A newcomer should see at one glance what a folder holds. */
const FILES_MAX = 20

/** Files that nobody imports: they are started by name. */
const ENTRY_POINTS = [
  /^lib\/index\.ts$/,
  /^lib\/keyv\/keyv-wisc\.ts$/,
  /^lib\/unstorage\/wisc-driver\.ts$/,
  /^tools\/wisc\.ts$/,
  /^bench\/main\.ts$/,
  /^bench\/(micro|special)\//,
  /^bench\/grow\/scale\.ts$/,
  /^scripts\//,
  /\.test\.ts$/,
  /^test\/crash\/(kill|bank)-child\.ts$/,
  /^test\/stress\/(main|beside)\.ts$/,
  /^test\/golden\/make\.ts$/,
  /^test\/(consumers|package)\//,
  // Of vitest.config.ts.
  /^test\/support\/equal-bytes\.ts$/,
]

const ENGINE = /^(lib|vlog)\//
const TEST = /^test\//
const BANNED: readonly { what: RegExp; where: RegExp; but?: RegExp; instead: string }[] = [
  { what: /\bMath\.random\b/, where: ENGINE, instead: 'Random of lib/base/random.ts' },
  {
    what: /\bDate\.now\b/,
    where: ENGINE,
    but: /^lib\/base\/clock\.ts$/,
    instead: 'performance.now() for intervals, and for what expires wallTime of lib/base/clock.ts',
  },
  { what: /\bnew Date\(\)/, where: ENGINE, instead: 'nothing: clocks decide nothing here' },
  { what: /\bconsole\./, where: ENGINE, instead: "an event, such as 'warning'" },
  {
    what: /['"](node:)?fs(\/promises)?['"]/,
    where: ENGINE,
    but: /^lib\/base\/platform\/(flock|helper-thread|node-(di.*|descriptors|file.*|lock-file|socket.*))\.ts$/,
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
  {
    what: /['"]msgpackr['"]/,
    where: ENGINE,
    but: /^lib\/encodings\/msgpack\.ts$/,
    instead: "the encoding 'msgpack' of lib/encodings/msgpack.ts",
  },
  {
    what: /['"]zstd-napi|zstd(De)?[cC]ompress/,
    where: ENGINE,
    but: /^lib\/base\/zstd\.ts$/,
    instead: 'zstd()',
  },
  { what: /AbortSignal\.any\b/, where: ENGINE, instead: 'linkSignals(), which can be unlinked' },
  { what: /\bas any\b|: any\b|<any>/, where: ENGINE, instead: 'unknown' },
]

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

describe('folders', () => {
  test('each file lies in a folder of the house and imports only what that may', () => {
    expect(brokenWalls(SOURCES)).toEqual([])
  })

  test('a folder stands only on folders that are listed before it: there is no circle', () => {
    expect(upwardWalls()).toEqual([])
  })

  test('a folder names no other that it does not use', () => {
    expect(idleWalls(SOURCES)).toEqual([])
  })

  test(`a folder holds at most ${FILES_MAX} files`, () => {
    const counts = new Map<string, number>()
    for (const { name } of SOURCES) {
      const folder = path.posix.dirname(name)
      counts.set(folder, (counts.get(folder) ?? 0) + 1)
    }
    const full = [...counts].filter(([, count]) => count > FILES_MAX)
    expect(
      full.map(([folder, count]) => `${folder}: ${count} files, make a folder of some`),
    ).toEqual([])
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
        .filter(({ name, target }) => !TEST.test(name) || TEST.test(target))
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
