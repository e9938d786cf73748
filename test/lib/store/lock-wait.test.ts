/** `waitForLock`: an open waits for whoever has the store open, for so long and no longer. */
import { expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

/** Says when somebody has asked for the lock so often. */
function asked(fileSystem: FaultFileSystem, times: number): Promise<void> {
  return new Promise((resolve) => {
    let left = times
    fileSystem.onCall = ({ kind }) => {
      if (kind === 'lock' && --left === 0) resolve()
    }
  })
}

async function held(): Promise<{ fileSystem: FaultFileSystem; holder: Store }> {
  const fileSystem = new FaultFileSystem()
  const holder = await openSmallStore({}, fileSystem)
  return { fileSystem, holder }
}

test('an open has the store when its holder has closed it', async () => {
  const { fileSystem, holder } = await held()
  await holder.put('a', '1')
  const thrice = asked(fileSystem, 3)
  const opening = openSmallStore({ waitForLock: 2 ** 31 - 1 }, fileSystem)
  await thrice
  await holder.close()
  expect(String((await opening).getSync('a'))).toBe('1')
})

test('WISC_LOCKED says how long it has waited', async () => {
  const { fileSystem } = await held()
  const failed = openSmallStore({ waitForLock: 120 }, fileSystem)
  await expect(failed).rejects.toMatchObject({ code: 'WISC_LOCKED' })
  await expect(failed).rejects.toThrow(/has the store open already.* waitedMs=120$/)
  const atOnce = openSmallStore({}, fileSystem)
  await expect(atOnce).rejects.toMatchObject({ code: 'WISC_LOCKED' })
  await expect(atOnce).rejects.not.toThrow(/waited/)
})

test('a signal ends the wait, with its reason, and leaves nothing', async () => {
  const { fileSystem, holder } = await held()
  const controller = new AbortController()
  const { signal } = controller
  const thrice = asked(fileSystem, 3)
  const opening = openSmallStore({ waitForLock: { signal } }, fileSystem)
  const failed = expect(opening).rejects.toMatchObject({ code: 'WISC_ABORTED', cause: 'enough' })
  await thrice
  controller.abort('enough')
  await failed
  const late = openSmallStore({ waitForLock: { ms: 1000, signal } }, fileSystem)
  await expect(late).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  await holder.close()
  const next = await openSmallStore({ waitForLock: { ms: 0 } }, fileSystem)
  await next.put('a', '1')
})

test('what is no wait is refused', async () => {
  for (const waitForLock of [-1, 0.5, Number.NaN, Infinity, '5', null, [], { ms: -1 }, { s: 1 }]) {
    const options = { waitForLock } as unknown as Options
    expect(await codeOf(() => openSmallStore(options))).toBe('WISC_INVALID_ARGUMENT')
  }
  const options = { waitForLock: { signal: {} } } as unknown as Options
  expect(await codeOf(() => openSmallStore(options))).toBe('WISC_INVALID_ARGUMENT')
})
