/**
 * Runs of the wisc command beside the writer, one after the other: each verb must end as it may beside a process that
 * changes everything, and none may call the store damaged.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PATIENCE } from '../support/processes/wisc-process.ts'
import type { Prng } from '../support/random.ts'
import { GROUPS, keyOf } from './content.ts'

const WISC = fileURLToPath(new URL('../../../dist/bin/wisc.js', import.meta.url))

/** A file may be gone when a verb comes to it, and a live scan may give up; damage (4) is never right. */
const FINE: Readonly<Record<string, readonly number[]>> = {
  get: [0, 1],
  scan: [0, 3],
  explain: [0, 2],
  map: [0, 2],
  dump: [0, 2, 5],
}

interface Run {
  readonly verb: string
  readonly words: readonly string[]
}

function drawRun(directory: string, scratch: string, prng: Prng): Run {
  const names = readdirSync(directory)
  const segments = names.filter((name) => name.endsWith('.vlog'))
  const number = segments.length > 0 ? String(Number.parseInt(prng.pick(segments), 10)) : '1'
  const files = names.filter((name) => /\.(vlog|sst)$|^MANIFEST/.test(name))
  const runs: Run[] = [
    { verb: 'stat', words: [] },
    { verb: 'segments', words: prng.chance(0.5) ? ['--exact'] : [] },
    { verb: 'verify', words: prng.chance(0.5) ? ['--deep'] : [] },
    { verb: 'scan', words: ['--limit', '60'] },
    { verb: 'get', words: [keyOf(prng.below(GROUPS), 0)] },
    { verb: 'explain', words: [number] },
    { verb: 'map', words: [number] },
    { verb: 'orphans', words: [] },
    { verb: 'advise', words: [] },
    { verb: 'report', words: ['--html', join(scratch, `report-${prng.u32()}.html`)] },
    { verb: 'gc', words: ['--dry-run'] },
  ]
  if (files.length > 0) runs.push({ verb: 'dump', words: [prng.pick(files)] })
  return prng.pick(runs)
}

async function runOnce(directory: string, { verb, words }: Run): Promise<void> {
  const place = verb === 'dump' ? [join(directory, words[0]!)] : [directory, ...words]
  const child = spawn(process.execPath, [WISC, verb, ...place], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // The writer may be kept from answering by all the others.
    env: { ...process.env, ...PATIENCE },
  })
  let errors = ''
  let output = ''
  child.stdout.on('data', (data: Buffer) => {
    // The last words are enough to say what was wrong.
    output = (output + data.toString()).slice(-2000)
  })
  child.stderr.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-2000)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== null && (FINE[verb] ?? [0]).includes(code)) return
  // The writer was faster than look after look.
  if (code === 5 && errors.includes('WISC_STALE')) return
  throw new Error(
    `wisc ${verb} ${words.join(' ')} ended with ${code ?? signal}:\n${errors}\n${output}`,
  )
}

export async function runCommands(
  directory: string,
  scratch: string,
  prng: Prng,
  counts: Map<string, number>,
  isEnded: () => boolean,
): Promise<void> {
  while (!isEnded()) {
    const run = drawRun(directory, scratch, prng)
    counts.set(`wisc ${run.verb}`, (counts.get(`wisc ${run.verb}`) ?? 0) + 1)
    await runOnce(directory, run)
  }
}
