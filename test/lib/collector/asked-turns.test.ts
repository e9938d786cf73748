/** Who asks for collections takes turns, after the steps that run and before those that would come. */
import { expect, test } from 'vitest'
import { AskedTurns } from '#dist/lib/collector/asked-turns.js'

/** Work that ends when it is told to. */
function gate() {
  let open!: () => void
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('one at a time, in the order in which they asked, and whatever one ends with', async () => {
  const turns = new AskedTurns({ hasSteps: false, anyStepEnded: () => Promise.resolve() })
  const told: string[] = []
  const first = gate()
  const one = turns.take(async () => {
    told.push('one begins')
    await first.opened
    told.push('one ends')
    throw new Error('of one')
  })
  const two = turns.take(() => {
    told.push('two')
    return Promise.resolve(2)
  })
  await Promise.resolve()
  expect(told).toEqual(['one begins'])
  expect(turns.areAsked).toBe(true)
  first.open()
  await expect(one).rejects.toThrow('of one')
  expect(await two).toBe(2)
  expect(told).toEqual(['one begins', 'one ends', 'two'])
  expect(turns.areAsked).toBe(false)
  await turns.ended()
})

test('a turn begins when the last step of the collector has ended, and none begins meanwhile', async () => {
  const steps = [gate(), gate()]
  const own = {
    hasSteps: true,
    anyStepEnded: () => steps[0]!.opened,
  }
  const turns = new AskedTurns(own)
  let begun = false
  const asked = turns.take(() => {
    begun = true
    return Promise.resolve()
  })
  // That is how the collector knows that it must start nothing.
  expect(turns.areAsked).toBe(true)
  const first = steps.shift()!
  first.open()
  await first.opened
  expect(begun).toBe(false)
  own.hasSteps = false
  steps[0]!.open()
  await asked
  expect(begun).toBe(true)
})

test('work that throws at once gives its turn back', async () => {
  const turns = new AskedTurns({ hasSteps: false, anyStepEnded: () => Promise.resolve() })
  const broken = turns.take(() => {
    throw new Error('stopped')
  })
  await expect(broken).rejects.toThrow('stopped')
  expect(turns.areAsked).toBe(false)
  expect(await turns.take(() => Promise.resolve(1))).toBe(1)
})
