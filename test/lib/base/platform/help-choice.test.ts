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

/** Trials come one in 16 on average. */
function expectAbout(count: number, expected: number): void {
  expect(Math.abs(count - expected), `${count} of ${expected}`).toBeLessThanOrEqual(2)
}

test('most batches go the way that takes less, some the other one', () => {
  expectAbout(run(new HelpChoice(), 320, 2, 3), 320 - 320 / 16)
  expectAbout(run(new HelpChoice(), 320, 3, 2), 320 / 16)
})

test('follows when that changes', () => {
  const choice = new HelpChoice()
  run(choice, 320, 2, 3)
  run(choice, 320, 5, 3)
  expectAbout(run(choice, 160, 5, 3), 10)
  run(choice, 640, 2, 3)
  expectAbout(run(choice, 160, 2, 3), 150)
})

test('a single pause decides nothing', () => {
  const choice = new HelpChoice()
  run(choice, 320, 2, 3)
  choice.note(true, 1000)
  expectAbout(run(choice, 160, 2, 3), 150)
})

test('callers that take turns are not held against each other', () => {
  // Small and large values in turn; which way pays is the same for both.
  const kinds = [1, 10]
  for (const cost of [0.5, 2]) {
    const choice = new HelpChoice()
    let helped = 0
    for (let i = 0; i < 2000; i++) {
      const aloneMs = kinds[i % 2]!
      const isHelped = choice.choose()
      choice.note(isHelped, isHelped ? aloneMs * cost : aloneMs)
      if (isHelped && i >= 1000) helped++
    }
    expect(helped > 500, `cost ${cost}: ${helped}`).toBe(cost < 1)
  }
})
