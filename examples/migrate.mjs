/**
 * Copies a database of classic-level or lmdb to a new store, key by key, the bytes as they are.
 *
 *   node examples/migrate.mjs classic-level OLD NEW
 *   node examples/migrate.mjs lmdb OLD NEW ['{ "name": "users" }']
 *
 * The last word has options of the old database's own `open`, as JSON. Nobody may write to it meanwhile. A MiB at a
 * time is in memory. The new store is made as NEW.partial, and gets its name when all of it is on disk and every entry was
 * read again from both and compared: what has that name is complete.
 */
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { open } from 'wisc'

const PIECE_BYTES = 1024 * 1024
const PIECE_ENTRIES = 1000

/** For each kind of database a generator of pieces, arrays of [key, value], in the order of the bytes of the keys. */
const SOURCES = {
  async *'classic-level'(directory, options) {
    const { ClassicLevel } = await import('classic-level')
    const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
    const database = new ClassicLevel(directory, {
      ...options,
      ...encodings,
      createIfMissing: false,
    })
    const entries = database.iterator({ highWaterMarkBytes: PIECE_BYTES })
    try {
      for (;;) {
        const piece = await entries.nextv(PIECE_ENTRIES)
        if (piece.length === 0) return
        yield piece
      }
    } finally {
      await database.close()
    }
  },

  async *lmdb(file, { name, ...options }) {
    const lmdb = await import('lmdb')
    const encodings = { keyEncoding: 'binary', encoding: 'binary' }
    const root = lmdb.open({ ...options, ...encodings, path: file, readOnly: true })
    const database = name === undefined ? root : root.openDB({ name, ...options, ...encodings })
    try {
      let piece = []
      let bytes = 0
      for (const { key, value } of database.getRange({ start: Buffer.alloc(0) })) {
        piece.push([key, value])
        bytes += key.length + value.length
        if (bytes < PIECE_BYTES && piece.length < PIECE_ENTRIES) continue
        yield piece
        piece = []
        bytes = 0
      }
      if (piece.length > 0) yield piece
    } finally {
      await root.close()
    }
  },
}

/** @returns how many entries and bytes were copied; `tell` is called after each piece with what is done */
export async function migrate(kind, from, to, { options = {}, tell = () => {} } = {}) {
  if (!existsSync(from)) throw new Error(`there is nothing at ${from}`)
  if (existsSync(to)) throw new Error(`${to} is there already`)
  const partial = `${to}.partial`
  const store = await open(partial, { errorIfExists: true })
  const done = { phase: 'copied', entries: 0, bytes: 0 }
  try {
    for await (const piece of SOURCES[kind](from, options)) {
      await store.write(piece.map(([key, value]) => ({ type: 'put', key, value })))
      count(done, piece)
      tell(done)
    }
    await store.sync()
    const compared = { phase: 'compared', entries: 0, bytes: 0 }
    const copies = store.entries()
    for await (const piece of SOURCES[kind](from, options)) {
      const found = await copies.nextMany(piece.length)
      const differs = piece.findIndex(
        ([key, value], i) => !found[i]?.[0].equals(key) || !found[i][1].equals(value),
      )
      if (differs >= 0)
        throw new Error(`differs from its copy: ${piece[differs][0].toString('hex')}`)
      count(compared, piece)
      tell(compared)
    }
    if ((await copies.nextMany(1)).length > 0) throw new Error('the old one has changed meanwhile')
  } finally {
    await store.close()
  }
  await rename(partial, to)
  return { entries: done.entries, bytes: done.bytes }
}

function count(done, piece) {
  done.entries += piece.length
  for (const [key, value] of piece) done.bytes += key.length + value.length
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kind, from, to, options = '{}'] = process.argv.slice(2)
  if (!Object.hasOwn(SOURCES, kind ?? '') || to === undefined) {
    console.error(`usage: migrate.mjs ${Object.keys(SOURCES).join('|')} OLD NEW [OPTIONS]`)
    process.exit(2)
  }
  const began = performance.now()
  let told = began
  const tell = ({ phase, entries, bytes }) => {
    if (performance.now() - told < 1000) return
    told = performance.now()
    const seconds = (told - began) / 1000
    console.error(
      `${phase} ${entries} entries, ${(bytes / 1e6).toFixed(0)} MB, ${seconds.toFixed(0)} s`,
    )
  }
  try {
    const { entries, bytes } = await migrate(kind, from, to, { options: JSON.parse(options), tell })
    console.log(`${entries} entries, ${bytes} bytes of keys and values: copied and compared`)
  } catch (error) {
    console.error([error, error.cause].filter(Boolean).map(String).join(': '))
    if (existsSync(`${to}.partial`)) console.error(`what was copied is in ${to}.partial: remove it`)
    process.exitCode = 1
  }
}
