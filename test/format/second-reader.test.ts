/**
 * The second reader and the store read the same databases and find the same pairs: closed ones and crashed ones,
 * as the workloads of the crash tests leave them.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openStore } from '#dist/lib/store/open-store.js'
import { STREAMING } from '../crash/stream-workloads.ts'
import { WORKLOADS } from '../crash/workloads.ts'
import { DIRECTORY } from '../support/crash/recover-image.ts'
import { Session } from '../support/crash/session.ts'
import type { DiskImage } from '../support/files/disk-model.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../support/random.ts'
import { startClock } from '../support/stopped-clock.ts'
import { readDatabase } from './second-reader.ts'

const seed = testSeed()

afterEach(startClock)

/** Reads an image with both readers. */
async function compare(image: DiskImage): Promise<number> {
  const fileSystem = new FaultFileSystem({ seed }, image)
  const random = seededRandom(seed)
  const store = await openStore(DIRECTORY, { readOnly: true, workers: 0 }, { fileSystem, random })
  const expected: [string, string][] = []
  for await (const [key, value] of store.entries()) {
    expected.push([key.toString('hex'), value.toString('hex')])
  }
  await store.close()
  const directory = mkdtempSync(join(tmpdir(), 'wisc-second-'))
  try {
    for (const [path, bytes] of image.files) {
      const target = join(directory, path)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, bytes)
    }
    const pairs = readDatabase(join(directory, DIRECTORY))
    const found = pairs.map(([key, value]) => [key.toString('hex'), value.toString('hex')])
    expect(found, replayHint(seed)).toEqual(expected)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return expected.length
}

test.each([...WORKLOADS, ...STREAMING])('the second reader agrees: $name', async (workload) => {
  const fileSystem = new FaultFileSystem({ seed })
  const images: DiskImage[] = []
  let calls = 0
  const prng = new Prng(seed)
  // Now and then the process is imagined to die: what its disk shows then is read, too.
  fileSystem.onCall = () => {
    if (++calls > 40 && prng.chance(0.02)) images.push(fileSystem.visibleImage())
  }
  const session = await Session.open(fileSystem, { options: workload.options, seed })
  await workload.run(session, new Prng(seed))
  images.push(session.fileSystem.visibleImage())
  let pairs = 0
  for (const image of images) pairs += await compare(image)
  expect(pairs).toBeGreaterThan(0)
})
