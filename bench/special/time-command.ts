/** How long the wisc command takes, from the start of its process to its end. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../bin/wisc.js', import.meta.url))

/** Milliseconds, one figure a run. @throws Error if the command fails */
export function timeCommand(words: readonly string[], runs: number): number[] {
  return Array.from({ length: runs }, () => {
    const before = performance.now()
    const { status, stderr } = spawnSync(process.execPath, [COMMAND, ...words])
    const ms = performance.now() - before
    if (status !== 0) throw new Error(`wisc ${words[0]} failed: ${stderr}`)
    return ms
  })
}
