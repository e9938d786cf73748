/** The ways in which a batch of a session gets to the store: each is one batch of the log, in its place. */
import type { SyncTransaction, Transaction } from '#dist/lib/contract/transactions.js'
import type { Store } from '#dist/lib/store/store.js'
import type { StoreOperation } from './oracle.ts'

/** A transaction has its place where it commits: nobody may write beside it. One in one go has that of its call. */
export type BatchWay = 'write' | 'transaction' | 'transactionSync'

export async function writeBatch(
  store: Store,
  operations: readonly StoreOperation[],
  sync: boolean,
  way: BatchWay,
): Promise<void> {
  const [first] = operations
  if (first === undefined) return store.write([], { sync })
  const fill = (tx: Transaction | SyncTransaction): void => {
    for (const operation of operations) writeTo(tx, operation)
  }
  if (way === 'transactionSync') return store.transactionSync(fill, { sync })
  if (way === 'transaction') {
    const read = first.type === 'deleteRange' ? first.gte : first.key
    const callback = async (tx: Transaction): Promise<void> => {
      await tx.get(read)
      fill(tx)
    }
    return store.transaction(callback, { sync })
  }
  if (operations.length > 1) return store.write(operations, { sync })
  if (first.type === 'put') return store.put(first.key, first.value, { sync, ...expiryOf(first) })
  if (first.type === 'delete') return store.delete(first.key, { sync })
  const { type: _, ...range } = first
  return store.deleteRange(range, { sync })
}

function writeTo(tx: Transaction | SyncTransaction, operation: StoreOperation): void {
  if (operation.type === 'put') tx.put(operation.key, operation.value, expiryOf(operation))
  else if (operation.type === 'delete') tx.delete(operation.key)
  else {
    const { type: _, ...range } = operation
    tx.deleteRange(range)
  }
}

function expiryOf({ ttl }: { readonly ttl?: number }): { readonly ttl?: number } {
  return ttl === undefined ? {} : { ttl }
}
