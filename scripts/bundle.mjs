/**
 * Bundles the compiled command into dist/bin, unless nothing has changed: a file for each verb and few that they share.
 *
 * Node takes half a millisecond for every module that it resolves, reads and links, and a verb needs more than a
 * hundred: as a bundle `wisc stat` starts in three quarters of the time. The library itself is not bundled.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist')
const BUNDLE = join(DIST, 'bin')

/** The worker stands beside the command: the pool looks for it beside itself. */
const ENTRIES = { wisc: join(DIST, 'tools/wisc.js'), worker: join(DIST, 'lib/jobs/worker.js') }

function changedAt(path) {
  return statSync(path).mtimeMs
}

function isCurrent() {
  const last = join(BUNDLE, 'wisc.js')
  if (!existsSync(last)) return false
  const bundledAt = changedAt(last)
  return ['lib', 'vlog', 'tools'].every((layer) =>
    readdirSync(join(DIST, layer), { recursive: true })
      .filter((name) => name.endsWith('.js'))
      .every((name) => changedAt(join(DIST, layer, name)) <= bundledAt),
  )
}

if (!isCurrent()) {
  rmSync(BUNDLE, { recursive: true, force: true })
  const bundle = await rolldown({
    input: ENTRIES,
    platform: 'node',
    external: /^[^./]/,
    logLevel: 'warn',
  })
  await bundle.write({ dir: BUNDLE, format: 'esm', chunkFileNames: '[name]-[hash].js' })
  await bundle.close()
}
