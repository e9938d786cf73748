/** In vitest. */
import { expect, test } from 'vitest'
import * as wisc from 'wisc'
import smoke from './smoke.cjs'

test('the package runs in vitest', async () => {
  expect(await smoke(wisc)).toEqual([])
}, 600_000)
