/**
 * Calls of the model test that a store refuses, or that somebody gives up: each says so in its way, and leaves no
 * trace.
 */
import type { Store } from '#dist/lib/store/store.js'

interface RefusedCall {
  readonly store: Store
  readonly key: Buffer
  readonly value: Buffer
  /** The key has a value. */
  readonly isThere: boolean
}

/** The code with which the call rejects; undefined where its caller wants nothing to be done, and gets that. */
type Refused = readonly [string | undefined, (call: RefusedCall) => Promise<unknown>]

/** What callers throw themselves. */
const FAILURE: Error = Object.assign(new Error('of the caller'), { code: 'of the caller' })
const TOO_LONG = Buffer.alloc(65_537)
const NEVER_WRITTEN = 'never written'

const REFUSED: Readonly<Record<string, Refused>> = {
  'a key that is too long': [
    'WISC_INVALID_ARGUMENT',
    ({ store, value }) => store.put(TOO_LONG, value),
  ],
  'no value': ['WISC_INVALID_ARGUMENT', ({ store, key }) => store.put(key, undefined as never)],
  'a moment that has passed': [
    'WISC_INVALID_ARGUMENT',
    ({ store, key, value }) => store.put(key, value, { expiresAt: Date.now() - 1 }),
  ],
  'a range without keys': [
    'WISC_INVALID_ARGUMENT',
    ({ store, key }) => store.deleteRange({ gt: key, lte: key }),
  ],
  'a batch whose last part is wrong': [
    'WISC_INVALID_ARGUMENT',
    ({ store, key, value }) =>
      store.write([
        { type: 'deleteRange', gte: '' },
        { type: 'put', key, value },
        { type: 'delete', key: TOO_LONG },
      ]),
  ],
  'a condition that does not hold': [
    'WISC_CONFLICT',
    ({ store, key, value, isThere }) =>
      store.put(key, value, { if: isThere ? { absent: true } : { present: true } }),
  ],
  'a delete whose value is another one': [
    'WISC_CONFLICT',
    ({ store, key }) => store.delete(key, { if: { value: NEVER_WRITTEN } }),
  ],
  'a batch of which one condition does not hold': [
    'WISC_CONFLICT',
    ({ store, key, value, isThere }) =>
      store.write(
        [
          { type: 'deleteRange', gte: '' },
          { type: 'put', key, value },
        ],
        {
          if: [
            { key, ...(isThere ? { present: true } : { absent: true }) },
            { key: NEVER_WRITTEN, sequence: 1 },
          ],
        },
      ),
  ],
  'a stream that is shorter than it should be': [
    'WISC_INVALID_ARGUMENT',
    ({ store, key, value }) => store.putStream(key, new Blob([value]), { size: value.length + 1 }),
  ],
  'a stream whose condition does not hold': [
    'WISC_CONFLICT',
    ({ store, key, value }) =>
      store.putStream(key, new Blob([value]), { if: { value: NEVER_WRITTEN } }),
  ],
  'a stream that is given up': [
    'WISC_ABORTED',
    ({ store, key, value }) => {
      const abort = new AbortController()
      const { signal } = abort
      return store.putStream(key, givenUp(value, abort), { signal })
    },
  ],
  'an update that throws': ['of the caller', ({ store, key }) => store.update(key, fail)],
  'an asynchronous update that throws': [
    'of the caller',
    ({ store, key }) => store.update(key, async () => fail()),
  ],
  'a touch of nothing': [undefined, ({ store }) => store.touch(NEVER_WRITTEN, { ttl: 1000 })],
  'a transaction that throws': [
    'of the caller',
    ({ store, key, value }) =>
      store.transaction(async (tx) => {
        await tx.get(key)
        tx.deleteRange({ gte: '' })
        tx.put(key, value)
        fail()
      }),
  ],
  'a transaction that gives up': [
    undefined,
    ({ store, key, value }) =>
      store.transaction((tx) => {
        tx.put(key, value)
        tx.abort()
      }),
  ],
  'a transaction that has ended': [
    'WISC_NOT_OPEN',
    async ({ store, key, value }) => {
      const ended = await store.transaction((tx) => tx)
      ended.put(key, value)
    },
  ],
  'a transaction whose signal has fired': [
    'WISC_ABORTED',
    ({ store, key, value }) =>
      store.transaction((tx) => tx.put(key, value), { signal: AbortSignal.abort() }),
  ],
  'a synchronous transaction that throws': [
    'of the caller',
    ({ store, key, value }) =>
      store.transactionSync((tx) => {
        tx.deleteRange({ gte: '' })
        tx.put(key, value)
        fail()
      }),
  ],
  'a synchronous transaction that waits': [
    'WISC_INVALID_ARGUMENT',
    ({ store, key, value }) =>
      store.transactionSync((async (tx: { put(key: Buffer, value: Buffer): void }) => {
        tx.put(key, value)
      }) as never),
  ],
  'a read at a snapshot that is closed': [
    'WISC_NOT_OPEN',
    ({ store, key }) => {
      const snapshot = store.snapshot()
      snapshot.close()
      return store.get(key, { snapshot })
    },
  ],
  'a seek of an iterator that is closed': [
    'WISC_NOT_OPEN',
    async ({ store, key }) => {
      const iterator = store.entries()
      await iterator.close()
      iterator.seek(key)
    },
  ],
  'reads that are given up': [
    'WISC_ABORTED',
    ({ store, key }) => store.getMany([key, key], { signal: AbortSignal.abort() }),
  ],
  'a scan that is given up': [
    'WISC_ABORTED',
    ({ store }) => store.entries({ signal: AbortSignal.abort() }).next(),
  ],
  'a compaction that is given up': [
    'WISC_ABORTED',
    ({ store }) => store.compact({}, { signal: AbortSignal.abort() }),
  ],
  'a collection that is given up': [
    'WISC_ABORTED',
    ({ store }) => store.collect({ signal: AbortSignal.abort() }),
  ],
}

export const REFUSED_WAYS: readonly string[] = Object.keys(REFUSED)

/** Makes one of them. @throws Error if the store takes it, or refuses it in another way */
export async function refuse(way: string, call: RefusedCall): Promise<void> {
  const [code, make] = REFUSED[way]!
  await expectCode(code, way, () => make(call))
}

/** @param code undefined: it succeeds */
export async function expectCode(
  code: string | undefined,
  what: string,
  call: () => Promise<unknown>,
): Promise<void> {
  let found: unknown
  try {
    await call()
  } catch (error) {
    found = (error as { code?: unknown }).code ?? error
  }
  if (found !== code) throw new Error(`${what}: ${found ?? 'it was done'}, not ${code}`)
}

function fail(): never {
  throw FAILURE
}

/** A source that comes to no end. */
async function* givenUp(value: Buffer, abort: AbortController): AsyncGenerator<Uint8Array, void> {
  yield value
  abort.abort()
  for (;;) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    yield value
  }
}
