/**
 * Bundles what is compiled, unless nothing has changed.
 *
 *   dist/lib/bundle    the library: its face, chunks for what few programs need, its threads, what stands on the face
 *                      (level.js, keyv.js, unstorage.js); the same as CommonJS; and the command: wisc.js, and a file
 *                      for each verb
 *   dist/lib/index.js  hands on the face of the bundle; what the compiler made of it lies beside it as unbundled.js
 *   dist/bin/wisc.js   runs the command of the bundle
 *
 * The command stands on the chunks of the library. Its parser of the command line is among its own, and the licences of
 * what is not ours beside them.
 *
 * Node takes half a millisecond for every module that it resolves, reads and links, and the library has more than a
 * hundred. The single modules stay for the tests; errors.js is the same for them and the bundle, so that a class of
 * errors is one.
 *
 * What is published of the types in CommonJS is copied: it stands beside the declarations that the compiler makes.
 *
 * A new bundle is written beside the old one and takes its place as a whole; its age is that of what it was made of.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const THIS_FILE = fileURLToPath(import.meta.url)
const ROOT = dirname(dirname(THIS_FILE))
const DIST = join(ROOT, 'dist')
/** Which versions of packages are bundled. */
const LOCK = join(ROOT, 'package-lock.json')
const FACE = join(DIST, 'lib/index.js')
const UNBUNDLED = join(DIST, 'lib/unbundled.js')
const STUB = "export * from './bundle/index.js'\n"
const COMMAND = join(DIST, 'tools/wisc.js')
const PROGRAM = join(DIST, 'bin/wisc.js')
const ERRORS = join(DIST, 'lib/base/errors.js')
const WORKER = join(DIST, 'lib/jobs/worker.js')
const HELPER = join(DIST, 'lib/base/platform/helper-thread.js')
const ON_THE_FACE = {
  level: join(DIST, 'lib/level/wisc-level.js'),
  keyv: join(DIST, 'lib/keyv/keyv-wisc.js'),
  unstorage: join(DIST, 'lib/unstorage/wisc-driver.js'),
}

const COMMONJS_TYPES = [
  'lib/index.d.cts',
  'lib/level/wisc-level.d.cts',
  'lib/keyv/keyv-wisc.d.cts',
  'lib/unstorage/wisc-driver.d.cts',
]

/** Whoever imports the face gets its modules, not its bundle. */
const unbundledFace = {
  name: 'unbundled-face',
  resolveId: (source, importer) => {
    if (!importer || !source.startsWith('.')) return null
    return resolve(dirname(importer), source) === FACE ? UNBUNDLED : null
  },
}

const WRITING = join(DIST, 'lib/store/open-for-writing.js')

/**
 * What an open needs lies in two files, one for all stores and one for those that write. Without this, each part that
 * something loaded later has in common with them would be a file of its own, and take a millisecond or two to be found.
 */
function filesOf(entry) {
  const parts = { store: [entry], writing: [WRITING] }
  const known = new Map()
  const find = (context) => {
    for (const [name, modules] of Object.entries(parts)) {
      for (const module of modules) {
        if (known.has(module)) continue
        known.set(module, name)
        modules.push(...(context.getModuleInfo(module)?.importedIds ?? []))
      }
    }
  }
  const name = (module, context) => {
    if (known.size === 0) find(context)
    return known.get(module)
  }
  return { groups: [{ debugName: 'by entry', name }] }
}

/** Comments of the sources explain them; who reads a stack finds names and lines without. */
const COMMENTS = { legal: true, annotation: true, jsdoc: false }

const isPackage = (name) => !name.startsWith('.') && !isAbsolute(name)
const isFile = (name, importer, file) => importer && resolve(dirname(importer), name) === file
/** What stands on the face asks the bundle for it, beside which it lies. */
const isBesideFace = (name, importer) => isPackage(name) || isFile(name, importer, FACE)

/**
 * The command's own packages go into its bundle: who uses the library alone does not install them. Of yargs that is its
 * CommonJS: what is ES modules of it breaks lines in the middle of words.
 */
const BUNDLED = { yargs: createRequire(import.meta.url).resolve('yargs') }
const isOutside = (name, importer) =>
  isPackage(name) && !Object.hasOwn(BUNDLED, name) && !importer?.split(sep).includes('node_modules')

/** Not there when only the library was built. */
const commandInput = existsSync(COMMAND) ? { wisc: COMMAND } : {}

/** Worker and helper stand beside what starts them: they are looked for there. */
const BUNDLE = {
  directory: join(DIST, 'lib/bundle'),
  layers: ['lib', 'vlog', 'tools'].filter((layer) => existsSync(join(DIST, layer))),
  outputs: [
    // What two of these have in common is in both: shared files would be more of them to load, each of which takes a
    // millisecond or two.
    ...[{ index: UNBUNDLED, ...commandInput }, { worker: WORKER }, { 'helper-thread': HELPER }].map(
      (input) => ({
        input,
        external: (name, importer) => isOutside(name, importer) || isFile(name, importer, ERRORS),
        output: {
          format: 'esm',
          chunkFileNames: '[name]-[hash].js',
          paths: { [ERRORS]: '../base/errors.js' },
          ...(input.index && { codeSplitting: filesOf(UNBUNDLED) }),
        },
      }),
    ),
    {
      input: { index: UNBUNDLED },
      external: isPackage,
      output: {
        format: 'cjs',
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name]-[hash].cjs',
        codeSplitting: filesOf(UNBUNDLED),
      },
    },
    {
      input: ON_THE_FACE,
      external: isBesideFace,
      output: { format: 'esm', paths: { [FACE]: './index.js' } },
    },
    {
      input: ON_THE_FACE,
      external: isBesideFace,
      output: {
        format: 'cjs',
        // One has a default, too.
        exports: 'named',
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name]-[hash].cjs',
        paths: { [FACE]: './index.cjs' },
      },
    },
  ],
  made: [
    ...['index.js', 'worker.js', 'helper-thread.js', 'index.cjs'],
    ...Object.keys(ON_THE_FACE).flatMap((name) => [`${name}.js`, `${name}.cjs`]),
    ...Object.keys(commandInput).map((name) => `${name}.js`),
  ],
}

function changedAt(path) {
  return statSync(path).mtimeMs
}

/** Adds the directories of the packages that modules are of. */
function addPackages(packages, modules) {
  for (const module of modules) {
    const [directory] = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(module) ?? []
    if (directory) packages.add(directory)
  }
}

/** What their authors want to be said wherever their work goes. */
function licensesOf(packages) {
  const texts = [...packages].sort().map((directory) => {
    const { name, version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry))
    return `${name} ${version}\n\n${readFileSync(join(directory, file), 'utf8').trim()}\n`
  })
  return `The command contains these packages:\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** What the compiler makes of the face is put aside: a later build makes it anew when it has changed. */
function putFaceAside() {
  if (readFileSync(FACE, 'utf8') === STUB) return
  renameSync(FACE, UNBUNDLED)
  writeFileSync(FACE, STUB)
}

function isCurrent({ directory, layers, made }) {
  if (!made.every((name) => existsSync(join(directory, name)))) return false
  const madeAt = changedAt(join(directory, made[0]))
  const sources = layers.flatMap((layer) =>
    readdirSync(join(DIST, layer), { recursive: true })
      .filter((name) => name.endsWith('.js') && !name.startsWith('bundle'))
      .map((name) => join(DIST, layer, name))
      .filter((path) => path !== FACE),
  )
  return [THIS_FILE, LOCK, ...sources].every((path) => changedAt(path) <= madeAt)
}

async function makeBundle({ directory, outputs, made }) {
  const began = new Date()
  const packages = new Set()
  const unfinished = `${directory}.${process.pid}.new`
  const replaced = `${directory}.${process.pid}.old`
  try {
    for (const { input, external, output } of outputs) {
      const bundle = await rolldown({
        input,
        platform: 'node',
        external,
        resolve: { alias: BUNDLED },
        // Where yargs looks for words of other languages, of which the command has none.
        transform: { define: { __dirname: 'import.meta.dirname' } },
        plugins: [unbundledFace],
        logLevel: 'warn',
      })
      const { output: chunks } = await bundle.write({
        dir: unfinished,
        comments: COMMENTS,
        ...output,
      })
      await bundle.close()
      for (const { moduleIds = [] } of chunks) addPackages(packages, moduleIds)
    }
    if (packages.size > 0) writeFileSync(join(unfinished, 'LICENSES.txt'), licensesOf(packages))
    utimesSync(join(unfinished, made[0]), began, began)
    if (existsSync(directory)) renameSync(directory, replaced)
    renameSync(unfinished, directory)
  } finally {
    for (const left of [unfinished, replaced]) rmSync(left, { recursive: true, force: true })
  }
}

/** It begins with #!: who calls it by its path needs no `node` in front. */
function writeProgram() {
  mkdirSync(dirname(PROGRAM), { recursive: true })
  writeFileSync(PROGRAM, "#!/usr/bin/env node\nimport '../lib/bundle/wisc.js'\n")
  chmodSync(PROGRAM, 0o755)
}

if (existsSync(FACE)) {
  putFaceAside()
  for (const name of COMMONJS_TYPES) copyFileSync(join(ROOT, name), join(DIST, name))
  if (!isCurrent(BUNDLE)) await makeBundle(BUNDLE)
  if (existsSync(COMMAND)) writeProgram()
}
