/** Whether batches are read with help: by what they took. */
import { expect, test } from 'vitest'
import { HelpChoice } from '#dist/lib/base/platform/help-choice.js'

/** Reads batches that take so long. @returns how many of them had help */
function run(choice: HelpChoice, batches: number, helpedMs: number, aloneMs: number): number {
  let helped = 0
  for (let i = 0; i < batches; i++) {
    const isHelped = choice.choose()
    if (isHelped) helped++
    choice.note(isHelped, isHelped ? helpedMs : aloneMs)
  }
  return helped
}

test('most batches go the way that takes less, some the other one', () => {
  expect(run(new HelpChoice(), 320, 2, 3)).toBe(320 - 320 / 16 - 1)
  expect(run(new HelpChoice(), 320, 3, 2)).toBe(1 + 320 / 16)
})

test('follows when that changes', () => {
  const choice = new HelpChoice()
  run(choice, 320, 2, 3)
  run(choice, 320, 5, 3)
  expect(run(choice, 160, 5, 3)).toBe(10)
  run(choice, 640, 2, 3)
  expect(run(choice, 160, 2, 3)).toBe(150)
})

test('a single pause decides nothing', () => {
  const choice = new HelpChoice()
  run(choice, 320, 2, 3)
  choice.note(true, 1000)
  expect(run(choice, 160, 2, 3)).toBe(150)
})
