/** Transactions of the model test: what they read beside their own writes is what the model has then. */
import type { Operation } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { keyAt, keysIn, type Model, optionsOf, same, sameList } from './answers.ts'
import type { ModelTransaction, ModelWrite } from './operations.ts'

/** @param prepare changes the model, and says what to do with the store */
export async function transactOnce(
  operation: ModelTransaction,
  store: Store,
  model: Model,
  prepare: (write: ModelWrite) => Operation,
): Promise<void> {
  const { writes, range, way } = operation
  const expectRange = (found: readonly Buffer[]): void => {
    const expected = keysIn(model, range).flatMap((key) => [keyAt(key), model.get(key)!])
    sameList(found, expected, `entries of a transaction (${way})`)
  }
  if (way === 'async') {
    await store.transaction(async (tx) => {
      for (const write of writes) {
        const one = prepare(write)
        if (one.type === 'put') tx.put(one.key, one.value)
        else tx.delete(one.key)
        same(await tx.get(one.key), model.get(write.key), 'get of a transaction')
      }
      const found: Buffer[] = []
      for await (const entry of tx.entries(optionsOf(range))) found.push(...entry)
      expectRange(found)
    })
  } else if (way === 'sync') {
    await store.transactionSync((tx) => {
      for (const write of writes) {
        const one = prepare(write)
        if (one.type === 'put') tx.put(one.key, one.value)
        else tx.delete(one.key)
        same(tx.get(one.key), model.get(write.key), 'get of a synchronous transaction')
      }
      expectRange([...tx.entries(optionsOf(range))].flat())
    })
  } else {
    for (const write of writes) {
      await store.update(keyAt(write.key), (value) => {
        same(value, model.get(write.key), 'the value of an update')
        const one = prepare(write)
        return one.type === 'put' ? one.value : undefined
      })
    }
  }
}
