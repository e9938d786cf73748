/** The same in CommonJS: types and classes are those of the ES module. */
import wisc = require('wisc')

async function main(options: wisc.Options): Promise<Uint8Array | undefined> {
  const store: wisc.Store = await wisc.open('db', options)
  try {
    return await store.get('key')
  } catch (error) {
    if (error instanceof wisc.CorruptionError) console.log(error.file)
    const isOurs: boolean = error instanceof wisc.WiscError && error.code === 'WISC_IO'
    if (!isOurs) throw error
    return undefined
  } finally {
    await store.close()
  }
}
class OwnError extends wisc.WiscError {}
console.log(main({ sync: true }), OwnError.name)
// @ts-expect-error: there is no such option
wisc.open('db', { createIfMising: true })
