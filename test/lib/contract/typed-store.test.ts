/** Types of views: the compiler is the test, as it builds this file. */
import { expectTypeOf, test } from 'vitest'
import type { Key, Value } from '#dist/lib/contract/types.js'
import type {
  Encoding,
  TypedIterator,
  TypedOperation,
  TypedRange,
  TypedStore,
} from '#dist/lib/index.js'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

interface Photo {
  readonly title: string
  readonly taken?: Date
}

const DECIMAL: Encoding<number> = { encode: String, decode: Number }

test('the compiler infers the types of encodings, or checks those that are said', async () => {
  const store = await openSmallStore()
  expectTypeOf(store.with({})).toEqualTypeOf<TypedStore<Value, Value, Buffer, Buffer>>()
  const json = store.with({ key: 'utf8', value: 'json' })
  expectTypeOf(json).toEqualTypeOf<TypedStore<string, unknown, string, unknown>>()
  const own = store.with({ key: DECIMAL, value: 'utf8' })
  expectTypeOf(own).toEqualTypeOf<TypedStore<number, string, number, string>>()

  const photos = store.with<string, Photo>({ key: 'utf8', value: 'msgpack' })
  expectTypeOf(await photos.get('x')).toEqualTypeOf<Photo | undefined>()
  expectTypeOf(photos.entries()).toEqualTypeOf<TypedIterator<[string, Photo], string>>()
  expectTypeOf(photos.write).parameter(0).toEqualTypeOf<readonly TypedOperation<string, Photo>[]>()
  // @ts-expect-error a photo has a title
  void codeOf(() => photos.put('k', { name: 'x' }))
  // @ts-expect-error its key is a string
  void codeOf(() => photos.get(5))
  // @ts-expect-error numbers are no text
  void codeOf(() => store.with<number, Photo>({ key: 'utf8', value: 'json' }))
  // @ts-expect-error tuples are for keys
  void codeOf(() => store.with({ value: 'tuple' }))

  type PhotoKey = readonly ['photo', string] | readonly ['by year', number, string]
  const all = store.with<PhotoKey, Photo>({ key: 'tuple', value: 'json' })
  type Ends = TypedRange<PhotoKey>
  expectTypeOf<{ prefix: readonly ['by year', number] }>().toExtend<Ends>()
  expectTypeOf<{ gte: readonly ['by year'] }>().toExtend<Ends>()
  expectTypeOf<{ prefix: readonly ['by year', string] }>().not.toExtend<Ends>()
  for await (const [kind, first] of all.keys({ prefix: ['photo'] })) {
    if (kind === 'by year') expectTypeOf(first).toEqualTypeOf<number>()
  }
  expectTypeOf<TypedRange<Key>['prefix']>().toEqualTypeOf<Key | undefined>()
  expectTypeOf<TypedRange<unknown>['prefix']>().toEqualTypeOf<undefined>()
  expectTypeOf(store.entries().seek).parameter(0).toEqualTypeOf<Key>()
})
