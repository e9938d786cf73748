/** What is unlinked or punched before a rename is durable: in a tolerant session wrong only if it loses something. */
import { expect, test } from 'vitest'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { DIRECTORY } from './recover-image.ts'
import { Session } from './session.ts'

const OPTIONS = {
  workers: 0,
  segmentBytes: 65536,
  memtableBytes: 65536,
  valueThreshold: 256,
  collector: { enabled: false },
}
const BLOCK = 4096

/** A session whose store holds one value of many blocks, or held it, and in whose directory a rename is not durable. */
async function renaming(
  tolerant: boolean,
  lives: boolean,
): Promise<{ session: Session; segment: string }> {
  const fileSystem = new FaultFileSystem({ seed: 1 })
  const session = await Session.open(fileSystem, { options: OPTIONS, seed: 1, tolerant })
  await session.put('key', 10 * BLOCK, true)
  const { segment } = (await session.store!.stat('key'))!
  if (!lives) {
    await session.delete('key')
    await session.compact()
    await session.reopen()
  }
  await session.settle()
  const file = fileSystem.open(`${DIRECTORY}/CURRENT.tmp`, 'create')
  file.sync()
  file.close()
  fileSystem.syncDirectory(DIRECTORY)
  fileSystem.rename(`${DIRECTORY}/CURRENT.tmp`, `${DIRECTORY}/BALLAST`)
  return { session, segment: `${DIRECTORY}/${String(segment).padStart(6, '0')}.vlog` }
}

function punch({ fileSystem }: Session, path: string): void {
  const file = fileSystem.open(path, 'punch')
  expect(file.punch(2 * BLOCK, BLOCK)).toBe(true)
  file.close()
}

test('I5: a hole in what lives is told, with the rule, at the next step', async () => {
  const { session, segment } = await renaming(true, true)
  punch(session, segment)
  expect(session.fileSystem.violations).toEqual([])
  await expect(session.sync()).rejects.toThrow(/^punch before a rename is durable path=\S+: ./)
})

test('a hole in what died is none', async () => {
  const { session, segment } = await renaming(true, false)
  punch(session, segment)
  await session.sync()
  expect(session.fileSystem.violations).toEqual([])
  await session.close()
})

test('where nobody looks into it the rule holds', async () => {
  const { session, segment } = await renaming(false, true)
  punch(session, segment)
  expect(session.fileSystem.violations.join()).toContain('punch before a rename is durable')
})
