/** The writes of a transaction so far. Keys and values are copies. */
import { RECORD_KIND } from '../../vlog/record.ts'
import { copyBytes, NO_BYTES } from '../base/bytes.ts'
import { deletedRange, type Given, keyBytes, valueBytes } from '../contract/arguments.ts'
import type { Key, KeyRange, Value } from '../contract/types.ts'
import { WritesByKey } from '../writes/writes-by-key.ts'

export class OwnWrites extends WritesByKey<Given> {
  put(key: Key, value: Value, expiresAt: number): void {
    const bytes = copyBytes(keyBytes(key))
    this.set({ kind: RECORD_KIND.put, key: bytes, value: copyBytes(valueBytes(value)), expiresAt })
  }

  deleteRange(range: KeyRange): void {
    this.set(deletedRange(range))
  }

  delete(key: Key): void {
    this.set({ kind: RECORD_KIND.delete, key: copyBytes(keyBytes(key)), value: NO_BYTES })
  }
}
