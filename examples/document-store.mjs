/**
 * A document store: collections of JSON documents with indexes that always agree with them.
 *
 *   node examples/document-store.mjs [DIRECTORY]
 *
 * Keys are tuples: [collection, '', id] of a document, [collection, index, value, id] of an entry of an index, so that
 * what belongs together lies together, in the order of its values. A document and its entries are one batch, which is
 * written only if nobody has changed the document meanwhile.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from 'wisc'

export class Collection {
  #store
  #view
  #name
  #indexes

  /** @param indexes by their names: the value of a document, or undefined where it has none */
  constructor(store, name, indexes) {
    this.#store = store
    this.#view = store.with({ key: 'tuple', value: 'json' })
    this.#name = name
    this.#indexes = Object.entries(indexes)
  }

  get(id, options) {
    return this.#view.get([this.#name, '', id], options)
  }

  put(id, document) {
    return this.update(id, () => document)
  }

  delete(id) {
    return this.update(id, () => undefined)
  }

  /** Stores what `change` makes of the document; undefined stands for none. It is called again if another was faster. */
  async update(id, change) {
    const key = [this.#name, '', id]
    for (;;) {
      const found = await this.#view.get(key, { withSequence: true })
      const document = change(found?.value)
      const operations = [
        ...this.#entries(id, found?.value).map((entry) => ({ type: 'delete', key: entry })),
        ...this.#entries(id, document).map((entry) => ({ type: 'put', key: entry, value: null })),
        document === undefined ? { type: 'delete', key } : { type: 'put', key, value: document },
      ]
      const unchanged = found ? { key, sequence: found.sequence } : { key, absent: true }
      try {
        return await this.#view.write(operations, { if: [unchanged] })
      } catch (error) {
        if (error.code !== 'WISC_CONFLICT') throw error
      }
    }
  }

  /** [id, document] in the order of an index, as of one moment: with one value, or from one up to another. */
  async *find(index, { value, from, to, reverse = false }) {
    const start = [this.#name, index]
    const range = {
      prefix: value === undefined ? start : [...start, value],
      ...(from !== undefined && { gte: [...start, from] }),
      ...(to !== undefined && { lt: [...start, to] }),
    }
    const snapshot = this.#store.snapshot()
    try {
      for await (const key of this.#view.keys({ ...range, reverse, snapshot })) {
        const id = key.at(-1)
        yield [id, await this.get(id, { snapshot })]
      }
    } finally {
      snapshot.close()
    }
  }

  #entries(id, document) {
    if (document === undefined) return []
    return this.#indexes
      .map(([index, read]) => [this.#name, index, read(document), id])
      .filter((entry) => entry[2] !== undefined)
  }
}

async function demo(directory) {
  const store = await open(path.join(directory, 'documents.db'))
  const people = new Collection(store, 'people', {
    city: (person) => person.city,
    born: (person) => person.born,
  })
  await people.put('ada', { city: 'London', born: 1815 })
  await people.put('alan', { city: 'London', born: 1912 })
  await people.put('emmy', { city: 'Erlangen', born: 1882, papers: 0 })
  await people.put('nobody', { city: 'London' })
  await people.update('emmy', (person) => ({ ...person, city: 'Bryn Mawr' }))
  await people.delete('nobody')

  const list = async (title, found) => {
    const ids = []
    for await (const [id, document] of found) ids.push(`${id} (${document.city})`)
    console.log(`${title}: ${ids.join(', ') || 'nobody'}`)
  }
  await list('in London', people.find('city', { value: 'London' }))
  await list('in Erlangen', people.find('city', { value: 'Erlangen' }))
  await list('born 1850 to 1950', people.find('born', { from: 1850, to: 1950 }))
  await list('the youngest first', people.find('born', { reverse: true }))

  // All at once: each of them counts.
  const addPaper = (person) => ({ ...person, papers: person.papers + 1 })
  await Promise.all(Array.from({ length: 20 }, () => people.update('emmy', addPaper)))
  console.log('papers of emmy:', (await people.get('emmy')).papers)
  await store.close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv[2]
  const directory = given ?? (await mkdtemp(path.join(tmpdir(), 'wisc-documents-')))
  await demo(directory)
  if (given === undefined) await rm(directory, { recursive: true })
}
