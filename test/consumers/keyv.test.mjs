/** wisc/keyv against the suite that stores of Keyv 5 have to pass, and a program on Keyv 6. Run by vitest. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import Keyv from 'keyv'
import Keyv6 from 'keyv-6'
import * as vitest from 'vitest'
import { open } from 'wisc'
import { KeyvWisc } from 'wisc/keyv'

const directory = mkdtempSync(join(tmpdir(), 'wisc-keyv-'))
const store = await open(join(directory, 'suite'))
vitest.afterAll(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

/** Keyv 5 iterates over stores of such names only. */
function iterable() {
  const adapter = new KeyvWisc(store)
  adapter.opts.dialect = 'sqlite'
  return adapter
}

vitest.describe('the suite', () => keyvTestSuite(vitest, Keyv, () => new KeyvWisc(store)))
vitest.describe('its iterators', () => keyvIteratorTests(vitest, Keyv, iterable))

vitest.test('Keyv 6: namespaces, expiry, many at once, a restart', async () => {
  const place = join(directory, 'six')
  const openKeyv = (namespace) => new Keyv6({ store: new KeyvWisc(place), namespace })
  let cats = openKeyv('cats')
  await cats.set('tom', { lives: 9 })
  await cats.set('kit', { lives: 7 }, 1)
  await cats.setMany([
    { key: 'a', value: 1 },
    { key: 'b', value: Buffer.from('b') },
  ])
  await cats.disconnect()
  cats = openKeyv('cats')
  await vitest.vi.waitFor(async () => vitest.expect(await cats.get('kit')).toBeUndefined())
  vitest.expect(await cats.get(['tom', 'a', 'b'])).toEqual([{ lives: 9 }, 1, Buffer.from('b')])
  vitest.expect(await cats.has('tom')).toBe(true)
  const seen = []
  for await (const [key] of cats.iterator()) seen.push(key)
  vitest.expect(seen.toSorted()).toEqual(['a', 'b', 'tom'])
  vitest.expect(await cats.delete('tom')).toBe(true)
  await cats.clear()
  vitest.expect(await cats.get('a')).toBeUndefined()
  await cats.disconnect()
})
