/** Transactions of the model test: what they read beside their own writes is what the model has then. */
import type { SyncTransaction, Transaction } from '#dist/lib/contract/transactions.js'
import type { DeletedRange, DeleteRangeOperation, Operation } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { expiryOf, keyAt, keysIn, type Model, optionsOf, same, sameList } from './answers.ts'
import { KEYS, type ModelTransaction, type ModelWrite } from './operations.ts'

function writeOne(tx: Transaction | SyncTransaction, write: Operation): void {
  if (write.type === 'put') tx.put(write.key, write.value, expiryOf(write))
  else if (write.type === 'delete') tx.delete(write.key)
  else tx.deleteRange(rangeOf(write))
}

export function rangeOf({ type: _, ...range }: DeleteRangeOperation): DeletedRange {
  return range
}

/** Deletes the keys between two in the model. */
export function prepareRange(model: Model, key: number, to: number): DeleteRangeOperation {
  const [first, last] = [Math.min(key, to), Math.max(key, to)]
  for (let each = first; each <= last; each++) model.delete(each)
  const upper = last === KEYS.length - 1 ? {} : { lte: keyAt(last) }
  return { type: 'deleteRange', gte: keyAt(first), ...upper }
}

interface ModelPorts {
  readonly model: Model
  /** Changes the model, and says what to do with the store. */
  readonly prepare: (write: ModelWrite) => Operation
  /** A batch is whole. */
  readonly note: () => void
}

export async function transactOnce(
  operation: ModelTransaction,
  store: Store,
  { model, prepare, note }: ModelPorts,
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
        writeOne(tx, one)
        same(await tx.get(keyAt(write.key)), model.get(write.key), 'get of a transaction')
      }
      const found: Buffer[] = []
      for await (const entry of tx.entries(optionsOf(range))) found.push(...entry)
      expectRange(found)
    })
    note()
  } else if (way === 'sync') {
    await store.transactionSync((tx) => {
      for (const write of writes) {
        const one = prepare(write)
        writeOne(tx, one)
        same(tx.get(keyAt(write.key)), model.get(write.key), 'get of a synchronous transaction')
      }
      expectRange([...tx.entries(optionsOf(range))].flat())
    })
    note()
  } else {
    for (const { key, length } of writes) {
      const write = { key, length }
      await store.update(keyAt(write.key), (value) => {
        same(value, model.get(write.key), 'the value of an update')
        const one = prepare(write)
        return one.type === 'put' ? one.value : undefined
      })
      note()
    }
  }
}
