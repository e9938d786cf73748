/** The types of the package, in an ES module: this file is compiled, and does not run. */
import { CorruptionError, type Options, open, type Store, WiscError } from 'wisc'

const options: Options = { valueThreshold: 0 }
const store: Store = await open('db', options)
const value: Uint8Array | undefined = await store.get('key')
store.on('flush', ({ tables }) => console.log(tables + 1, value?.length))
for await (const [key, entry] of store.entries({ prefix: 'a' }))
  console.log(key.length, entry.length)
try {
  await store.close()
} catch (error) {
  if (error instanceof CorruptionError) console.log(error.file)
  else if (error instanceof WiscError && error.code === 'WISC_IO') console.log(error.message)
}
// @ts-expect-error: there is no such option
await open('db', { createIfMising: true })
