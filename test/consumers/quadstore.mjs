/** A graph of RDF quads: what quadstore's page shows, ranges and matches of literals, updates. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Quadstore } from 'quadstore'
import { DataFactory } from 'rdf-data-factory'
import { WiscLevel } from 'wisc/level'

const directory = mkdtempSync(join(tmpdir(), 'wisc-quadstore-'))
const dataFactory = new DataFactory()
const { namedNode, literal, defaultGraph, quad } = dataFactory
const named = namedNode.bind(dataFactory)
const INTEGER = named('http://www.w3.org/2001/XMLSchema#integer')

const open = async () => {
  const store = new Quadstore({ backend: new WiscLevel(directory), dataFactory })
  await store.open()
  return store
}
const age = (person, years) =>
  quad.call(
    dataFactory,
    named(`http://people/${person}`),
    named('http://schema/age'),
    literal.call(dataFactory, String(years), INTEGER),
    defaultGraph.call(dataFactory),
  )

let store = await open()
await store.multiPut(['ada', 'alan', 'emmy', 'kurt'].map((name, i) => age(name, 30 + i)))
for (let i = 0; i < 2000; i++) await store.put(age(`n${i}`, 100 + i))
const { items } = await store.get({ predicate: named('http://schema/age') })
assert.equal(items.length, 2004)

const young = {
  termType: 'Range',
  gte: literal.call(dataFactory, '31', INTEGER),
  lt: literal.call(dataFactory, '33', INTEGER),
}
const found = await store.get({ predicate: named('http://schema/age'), object: young })
assert.deepEqual(
  found.items.map(({ subject }) => subject.value),
  ['http://people/alan', 'http://people/emmy'],
)

await store.multiPatch([age('ada', 30)], [age('ada', 36)])
await store.close()

store = await open()
const ada = await store.get({ subject: named('http://people/ada') })
assert.deepEqual(
  ada.items.map(({ object }) => object.value),
  ['36'],
)
let streamed = 0
const { iterator } = await store.getStream({})
await new Promise((resolve, reject) => {
  iterator.on('data', () => streamed++)
  iterator.on('end', resolve)
  iterator.on('error', reject)
})
assert.equal(streamed, 2004)
await store.clear()
assert.equal((await store.get({})).items.length, 0)
await store.close()
rmSync(directory, { recursive: true })
