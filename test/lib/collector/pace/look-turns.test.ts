/** A look over several turns, by counts of turns. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LookTurns } from '#dist/lib/collector/pace/look-turns.js'

function turnsOf() {
  const said: string[] = []
  const times = { ended: () => said.push('ended'), soon: () => said.push('soon') }
  const turns = new LookTurns(times)
  function* work(count: number): Generator<undefined, void, undefined> {
    for (let turn = 1; turn < count; turn++) {
      said.push(`turn ${turn}`)
      yield
    }
    said.push(`turn ${count}`)
  }
  return { turns, said, work }
}

test('a look of one turn is over at once, and is asked for anew by whoever wants to know', () => {
  const { turns, said, work } = turnsOf()
  turns.run(work(1))
  expect(said).toEqual(['turn 1', 'ended'])
  expect([turns.isUnderWay, turns.isFresh]).toEqual([false, false])
})

test('a longer one lets others run in between; what it found holds until something happens', async () => {
  const { turns, said, work } = turnsOf()
  turns.run(work(3))
  expect(said).toEqual(['turn 1'])
  expect([turns.isUnderWay, turns.isFresh]).toEqual([true, false])
  await nextTurn()
  await nextTurn()
  await nextTurn()
  expect(said).toEqual(['turn 1', 'turn 2', 'turn 3', 'ended'])
  expect([turns.isUnderWay, turns.isFresh]).toEqual([false, true])
  turns.isOutdated = true
  expect(turns.isFresh).toBe(false)
})

test('what happens meanwhile is looked at by another one', async () => {
  const { turns, said, work } = turnsOf()
  turns.run(work(2))
  turns.isOutdated = true
  await nextTurn()
  await nextTurn()
  expect(said).toEqual(['turn 1', 'turn 2', 'ended', 'soon'])
  expect(turns.isFresh).toBe(false)
})

test('after a stop it does not go on', async () => {
  const { turns, said, work } = turnsOf()
  turns.run(work(3))
  turns.stop()
  await nextTurn()
  await nextTurn()
  expect(said).toEqual(['turn 1'])
})
