/**
 * Bundles the compiled command into dist/bin, unless nothing has changed: a file for each verb and few that they share.
 *
 * Node takes half a millisecond for every module that it resolves, reads and links, and a verb needs more than a
 * hundred: as a bundle `wisc stat` starts in three quarters of the time. The library itself is not bundled.
 *
 * The new bundle is written beside the old one and takes its place as a whole; its age is that of what it was made of.
 */
import {
  chmodSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const THIS_FILE = fileURLToPath(import.meta.url)
const DIST = join(dirname(dirname(THIS_FILE)), 'dist')
const BUNDLE = join(DIST, 'bin')

/** The worker stands beside the command: the pool looks for it beside itself. */
const ENTRIES = { wisc: join(DIST, 'tools/wisc.js'), worker: join(DIST, 'lib/jobs/worker.js') }

function changedAt(path) {
  return statSync(path).mtimeMs
}

function isCurrent() {
  const command = join(BUNDLE, 'wisc.js')
  if (!existsSync(command) || !existsSync(join(BUNDLE, 'worker.js'))) return false
  const madeAt = changedAt(command)
  const sources = ['lib', 'vlog', 'tools'].flatMap((layer) =>
    readdirSync(join(DIST, layer), { recursive: true })
      .filter((name) => name.endsWith('.js'))
      .map((name) => join(DIST, layer, name)),
  )
  return [THIS_FILE, ...sources].every((path) => changedAt(path) <= madeAt)
}

async function makeBundle() {
  const began = new Date()
  const made = join(DIST, `bin.${process.pid}.new`)
  const replaced = join(DIST, `bin.${process.pid}.old`)
  try {
    const bundle = await rolldown({
      input: ENTRIES,
      platform: 'node',
      external: (name) => !name.startsWith('.') && !isAbsolute(name),
      logLevel: 'warn',
    })
    await bundle.write({ dir: made, format: 'esm', chunkFileNames: '[name]-[hash].js' })
    await bundle.close()
    // It begins with #!: who calls it by its path needs no `node` in front.
    chmodSync(join(made, 'wisc.js'), 0o755)
    utimesSync(join(made, 'wisc.js'), began, began)
    if (existsSync(BUNDLE)) renameSync(BUNDLE, replaced)
    renameSync(made, BUNDLE)
  } finally {
    for (const directory of [made, replaced]) rmSync(directory, { recursive: true, force: true })
  }
}

// Without the command, as when only the library was built, there is nothing to bundle.
if (existsSync(ENTRIES.wisc) && !isCurrent()) await makeBundle()
