/** I8: what a compaction folds into no rewrite moves, and the other way round. */
import { expect, test } from 'vitest'
import { RelocationClaims } from '#dist/lib/state/relocation-claims.js'

const never = new AbortController().signal

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = (): void => {
    settled = true
  }
  promise.then(note, note)
  await new Promise((resolve) => setImmediate(resolve))
  return settled
}

test('a rewrite waits for the compaction that folds into one of its files, and for no other', async () => {
  const claims = new RelocationClaims()
  const end = claims.fold([7, 8])
  expect([...claims.foldedInto]).toEqual([7, 8])
  const giveBack = await claims.move([9], never)
  expect([7, 8, 9].map((file) => claims.isMoved(file))).toEqual([false, false, true])
  const waiting = claims.move([6, 7], never)
  expect(await isSettled(waiting)).toBe(false)
  // What waits is claimed already: the next compaction leaves it alone.
  expect(claims.isMoved(6) && claims.isMoved(7)).toBe(true)
  end()
  expect(claims.foldedInto.size).toBe(0)
  const endWaiting = await waiting
  endWaiting()
  giveBack()
  expect([6, 7, 9].some((file) => claims.isMoved(file))).toBe(false)
})

test('a rewrite that is cancelled while it waits has taken nothing', async () => {
  const claims = new RelocationClaims()
  const end = claims.fold([7])
  const abort = new AbortController()
  const waiting = claims.move([7], abort.signal)
  abort.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  expect(claims.isMoved(7)).toBe(false)
  end()
})

test('the next compaction of the same file keeps a rewrite waiting only if it began before', async () => {
  const claims = new RelocationClaims()
  const end = claims.fold([7])
  const waiting = claims.move([7], never)
  end()
  // It folds into what is not moved alone, as its rule is.
  const endNext = claims.fold([8].filter((file) => !claims.isMoved(file)))
  const giveBack = await waiting
  giveBack()
  endNext()
})
