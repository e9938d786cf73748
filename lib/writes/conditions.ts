/**
 * Conditions of a write: what must hold of single keys in the turn of its batch, when all earlier ones are decided.
 *
 * What comes before it in its group is not in a memtable yet, so that is asked first. Sequences and presence are in the
 * tree; a value is read, on the calling thread, only where it may have the right length.
 */
import { equalBytes, keyString } from '../base/bytes.ts'
import { ConflictError } from '../base/errors.ts'
import type { ResolvedCondition } from '../contract/conditions.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import type { TreeReader } from '../state/tree-reader.ts'
import { Entry, KIND } from '../tree/entry.ts'
import type { BatchCondition, LastWrites } from './batch.ts'
import type { Write } from './write.ts'
import { isPut } from './writes-by-key.ts'

/** What conditions are held against. */
export interface ConditionParts {
  readonly tree: Pick<TreeReader, 'find'>
  readonly values: {
    read(entry: Entry): Uint8Array
    readHead(entry: Entry): { readonly rawLength: number }
  }
  readonly readers: Pick<ReadableSequences, 'newest'>
}

export class Conditions implements BatchCondition {
  readonly #parts: ConditionParts
  readonly #conditions: readonly ResolvedCondition[]

  constructor(parts: ConditionParts, conditions: readonly ResolvedCondition[]) {
    this.#parts = parts
    this.#conditions = conditions
  }

  judge(earlier: LastWrites): ConflictError | undefined {
    for (const condition of this.#conditions) {
      const write = earlier.get(keyString(condition.key))
      const holds = write ? holdsOfWrite(condition, write) : this.#holds(condition)
      if (!holds) return new ConflictError(condition.key, 'a condition does not hold')
    }
    return undefined
  }

  #holds(condition: ResolvedCondition): boolean {
    const { tree, values, readers } = this.#parts
    const found = new Entry()
    const isThere = tree.find(condition.key, readers.newest, found)
    switch (condition.wants) {
      case 'absent':
        return !isThere
      case 'present':
        return isThere
      case 'sequence':
        return isThere && found.sequence === condition.sequence
      case 'value':
        return isThere && isValue(found, condition, values)
    }
  }
}

/** Nobody knows a sequence that is not given yet. */
function holdsOfWrite(condition: ResolvedCondition, write: Write): boolean {
  const { value, stream } = write
  const isThere = isPut(write)
  switch (condition.wants) {
    case 'absent':
      return !isThere
    case 'present':
      return isThere
    case 'sequence':
      return false
    case 'value':
      // A stream is compared behind its group, where it can be read.
      return isThere && stream === undefined && equalBytes(value, condition.value)
  }
}

function isValue(
  found: Entry,
  { value }: ResolvedCondition,
  values: ConditionParts['values'],
): boolean {
  if (found.kind === KIND.inline)
    return equalBytes(found.valueBytes.subarray(found.valueStart, found.valueEnd), value)
  return values.readHead(found).rawLength === value.length && equalBytes(values.read(found), value)
}
