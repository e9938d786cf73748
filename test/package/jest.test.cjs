/** In jest, which loads CommonJS, each file in a world of its own. */
const smoke = require('./smoke.cjs')

test('the package runs in jest', async () => {
  expect(await smoke(require('wisc'))).toEqual([])
}, 600_000)
