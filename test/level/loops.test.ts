/** `for await` over wisc/level, which goes by a loop of ours: as that of abstract-level, whatever comes between. */
import { expect, test } from 'vitest'
import { LevelLoop } from '#dist/lib/level/level-loop.js'
import { type Database, failure, withLevel } from './with-level.ts'

/** A hundred entries, of which an iterator has some in memory after the first. */
async function withHundred(use: (db: Database, keys: string[]) => Promise<void>): Promise<void> {
  await withLevel(async (db) => {
    const keys = Array.from({ length: 100 }, (_, i) => String(i).padStart(3, '0'))
    await db.batch(keys.map((key) => ({ type: 'put', key, value: key })))
    await use(db, keys)
    const { iterators, snapshots } = db.store.stats()
    expect([iterators.open, snapshots.open]).toEqual([0, 0])
  })
}

test('loops give all, and other calls of the iterator may come between', async () => {
  await withHundred(async (db, keys) => {
    for (const limit of [-1, 0, 1, 16, 17, 40]) {
      const wanted = limit < 0 ? keys : keys.slice(0, limit)
      const seen: string[][] = [[], [], []]
      for await (const [key, value] of db.iterator({ limit })) seen[0]!.push(key, value)
      for await (const key of db.keys({ limit })) seen[1]!.push(key)
      for await (const value of db.values({ limit })) seen[2]!.push(value)
      expect(seen).toEqual([wanted.flatMap((key) => [key, key]), wanted, wanted])
    }
    const iterator = db.iterator({ limit: 90 })
    const seen: string[] = []
    for await (const [key] of iterator) {
      seen.push(key)
      expect(iterator.count).toBe(seen.length)
      const more = seen.length % 7 === 0 ? await iterator.nextv(3) : []
      const one = seen.length % 5 === 0 ? await iterator.next() : undefined
      for (const [other] of one ? [...more, one] : more) seen.push(other)
    }
    expect(seen).toEqual(keys.slice(0, 90))
    expect(iterator.count).toBe(90)
  })
})

test('a seek in a loop goes on there, and what was read ahead does not count for the limit', async () => {
  await withHundred(async (db) => {
    for (const keysOf of [
      async (limit: number): Promise<string[]> => {
        const seen: string[] = []
        const iterator = db.keys({ limit })
        for await (const key of iterator) {
          seen.push(key)
          if (seen.length === 3) iterator.seek('050')
        }
        return seen
      },
      async (limit: number): Promise<string[]> => {
        const iterator = db.keys({ limit })
        const seen = [(await iterator.next())!, ...(await iterator.nextv(2))]
        iterator.seek('050')
        return [...seen, ...(await iterator.all())]
      },
    ]) {
      const seen = await keysOf(20)
      expect(seen.slice(0, 5)).toEqual(['000', '001', '002', '050', '051'])
      expect(seen.length).toBe(20)
      expect((await keysOf(1000)).length).toBe(53)
    }
  })
})

test('a loop ends when the iterator is closed, the signal fires or nothing can be decoded', async () => {
  await withHundred(async (db) => {
    const loop = async (
      iterator: ReturnType<typeof db.values>,
      interrupt: () => unknown,
    ): Promise<[number, unknown[]]> => {
      let seen = 0
      const looping = async (): Promise<void> => {
        for await (const _ of iterator) if (++seen === 3) await interrupt()
      }
      const codes = await failure(looping())
      expect(await failure(iterator.next())).toEqual(['LEVEL_ITERATOR_NOT_OPEN'])
      return [seen, codes]
    }
    const closed = db.values()
    expect(await loop(closed, () => closed.close())).toEqual([3, ['LEVEL_ITERATOR_NOT_OPEN']])
    const controller = new AbortController()
    const { signal } = controller
    const aborted = await loop(db.values({ signal }), () => controller.abort())
    expect([aborted[0], aborted[1][0]]).toEqual([3, 'LEVEL_ABORTED'])
    const decode = (value: string): string => {
      if (value === '003') throw new Error('picky')
      return value
    }
    const valueEncoding = { name: 'picky', format: 'utf8', encode: String, decode } as const
    const [seen, codes] = await loop(db.values({ valueEncoding }), () => {})
    expect([seen, codes[0]]).toEqual([3, 'LEVEL_DECODE_ERROR'])
  })
})

test('who calls a loop by hand gets its entries in turn', async () => {
  await withHundred(async (db, keys) => {
    const loop = db.keys({ limit: 20 })[Symbol.asyncIterator]()
    const results = await Promise.all(Array.from({ length: 25 }, () => loop.next()))
    expect(results.filter(({ done }) => !done).map(({ value }) => value)).toEqual(keys.slice(0, 20))
    const left = db.keys()[Symbol.asyncIterator]()
    await left.next()
    expect(await left.return()).toEqual({ value: undefined, done: true })
    expect(await left.next()).toEqual({ value: undefined, done: true })
    await expect(db.keys()[Symbol.asyncIterator]().throw(new Error('mine'))).rejects.toThrow('mine')
  })
})

test('a close that fails does not hide why the loop has ended: both are told', async () => {
  const reading = Object.assign(new Error('damaged'), { code: 'LEVEL_CORRUPTION' })
  const closing = new Error('cannot be closed')
  const loop = (): LevelLoop<string> =>
    new LevelLoop(
      { next: () => Promise.reject(reading), close: () => Promise.reject(closing) },
      () => undefined,
    )
  const both = { message: 'damaged', code: 'LEVEL_CORRUPTION', errors: [reading, closing] }
  await expect(loop().next()).rejects.toMatchObject(both)
  await expect(loop().throw(reading)).rejects.toMatchObject(both)
  await expect(loop().return()).rejects.toBe(closing)
})
