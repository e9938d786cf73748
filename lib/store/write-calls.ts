/**
 * The calls of a store that write: what they are given is checked and resolved, then handed on to the commit queue or
 * to the uploads. `Store` says what each of them promises.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { NO_BYTES } from '../base/bytes.ts'
import { invalidArgument, toWiscError } from '../base/errors.ts'
import {
  checkOperation,
  keyBytes,
  resolvePutStream,
  valueBytes,
  writeSync,
} from '../contract/arguments.ts'
import { resolveConditions, resolveKeyCondition } from '../contract/conditions.ts'
import { mustBe } from '../contract/given.ts'
import { pieceSource } from '../contract/stream-source.ts'
import type {
  BatchOptions,
  ConditionalWriteOptions,
  Key,
  Operation,
  PutStreamOptions,
  StreamSource,
  UploadResult,
  Value,
} from '../contract/types.ts'
import type { Engine } from '../engine/engine.ts'
import { Conditions } from '../writes/conditions.ts'

export class WriteCalls {
  readonly #writable: () => Engine

  /** @param writable throws WISC_NOT_OPEN or WISC_READ_ONLY if nothing can be written */
  constructor(writable: () => Engine) {
    this.#writable = writable
  }

  put(key: Key, value: Value, options: ConditionalWriteOptions | undefined): Promise<void> {
    try {
      const engine = this.#writable()
      const sync = writeSync(options, engine.options.sync)
      const condition = options && conditionOf(engine, key, options)
      const bytes = valueBytes(value)
      return engine.commit.submit(RECORD_KIND.put, keyBytes(key), bytes, sync, condition)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  delete(key: Key, options: ConditionalWriteOptions | undefined): Promise<void> {
    try {
      const engine = this.#writable()
      const sync = writeSync(options, engine.options.sync)
      const condition = options && conditionOf(engine, key, options)
      return engine.commit.submit(RECORD_KIND.delete, keyBytes(key), NO_BYTES, sync, condition)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  async write(operations: readonly Operation[], options: BatchOptions | undefined): Promise<void> {
    const { commit, options: standard, log } = this.#writable()
    const sync = writeSync(options, standard.sync)
    const given = options?.if
    const conditions = given === undefined ? [] : resolveConditions(given)
    if (!Array.isArray(operations))
      throw invalidArgument(mustBe('an array', 'operations', operations))
    // Not `map`, which leaves holes in an array as they are.
    const writes = Array.from(operations, checkOperation)
    // A getter of an operation may have closed the store.
    const engine = this.#writable()
    const precondition = conditions.length === 0 ? undefined : new Conditions(engine, conditions)
    if (writes.length > 0 || precondition) await commit.submitBatch(writes, sync, precondition)
    else if (sync) await log.sync()
  }

  async putStream(
    key: Key,
    source: StreamSource,
    options: PutStreamOptions | undefined,
  ): Promise<UploadResult> {
    const { uploads, options: standard } = this.#writable()
    const asked = resolvePutStream(options, standard.sync)
    return uploads.put(keyBytes(key), pieceSource(source), asked)
  }
}

/** Of a single put or delete, if it has one. */
function conditionOf(
  engine: Engine,
  key: Key,
  options: ConditionalWriteOptions,
): Conditions | undefined {
  const condition = options.if
  if (condition === undefined) return undefined
  return new Conditions(engine, resolveKeyCondition(key, condition))
}
