/**
 * Copies a database of classic-level or lmdb, or a store that another version of wisc has written, to a new store, key
 * by key, the bytes as they are.
 *
 *   node examples/migrate.mjs classic-level OLD NEW
 *   node examples/migrate.mjs lmdb OLD NEW ['{ "name": "users" }']
 *   node examples/migrate.mjs wisc OLD NEW ['{ "package": "old-wisc" }']
 *
 * The last word has options of the old database's own `open`, as JSON; for wisc also the package that reads it. Nobody
 * may write to it meanwhile. A MiB at a time is in memory. The new store is made as NEW.partial, and gets its name when
 * all of it is on disk and every entry was read again from both and compared: what has that name is complete.
 */
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { open } from 'wisc'

const PIECE_BYTES = 1024 * 1024
const PIECE_ENTRIES = 1000
/** What expires within this time is left out: it might be gone before it is written. */
const SOON_MS = 1000

/**
 * Open an old database. `entries` gives what is in it: `key`, `size`, and `expiresAt` of what expires; with a `value`,
 * or, where that is long, with a way to `read` a part of it.
 */
const SOURCES = {
  async 'classic-level'(directory, options) {
    const { ClassicLevel } = await import('classic-level')
    const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
    const database = new ClassicLevel(directory, {
      ...options,
      ...encodings,
      createIfMissing: false,
    })
    await database.open()
    return {
      async *entries() {
        for await (const [key, value] of database.iterator({ highWaterMarkBytes: PIECE_BYTES }))
          yield { key, value, size: value.length }
      },
      close: () => database.close(),
    }
  },

  async lmdb(file, { name, ...options }) {
    const lmdb = await import('lmdb')
    const encodings = { keyEncoding: 'binary', encoding: 'binary' }
    const root = lmdb.open({ ...options, ...encodings, path: file, readOnly: true })
    const database = name === undefined ? root : root.openDB({ name, ...options, ...encodings })
    return {
      *entries() {
        for (const { key, value } of database.getRange({ start: Buffer.alloc(0) }))
          yield { key, value, size: value.length }
      },
      close: () => root.close(),
    }
  },

  async wisc(directory, { package: name = 'wisc', ...options }) {
    const wisc = await import(name)
    const store = await wisc.open(directory, { ...options, readOnly: true })
    // Both passes see the same. If somebody writes all the same, and takes files away, they end with WISC_STALE.
    const snapshot = store.snapshot()
    return {
      async *entries() {
        for await (const [key, stat] of store.entries({ snapshot, values: 'stat' })) {
          const { size, expiresAt } = stat
          const read = (part) => store.get(key, { snapshot, ...part })
          if (size > PIECE_BYTES) yield { key, size, expiresAt, read }
          else yield { key, size, expiresAt, value: await read() }
        }
      },
      close: () => store.close(),
    }
  },
}

/** @returns how many entries and bytes were copied; `tell` is called after each piece with what is done */
export async function migrate(kind, from, to, { options = {}, tell = () => {} } = {}) {
  if (!existsSync(from)) throw new Error(`there is nothing at ${from}`)
  if (existsSync(to)) throw new Error(`${to} is there already`)
  const partial = `${to}.partial`
  const store = await open(partial, { errorIfExists: true })
  const copied = { phase: 'copied', entries: 0, bytes: 0, leftOut: 0 }
  const compared = { phase: 'compared', entries: 0, bytes: 0, leftOut: 0 }
  try {
    const source = await SOURCES[kind](from, options)
    try {
      for await (const piece of pieces(source.entries(), copied)) {
        await copy(store, piece)
        tell(count(copied, piece))
      }
      await store.sync()
      for await (const piece of pieces(source.entries(), compared)) {
        await compare(store, piece)
        tell(count(compared, piece))
      }
    } finally {
      await source.close()
    }
    let entries = 0
    for await (const _ of store.keys()) entries++
    // What was copied may have come near its end since, and was left out then.
    if (entries > compared.entries + compared.leftOut)
      throw new Error('the old one has changed meanwhile')
  } finally {
    await store.close()
  }
  await rename(partial, to)
  return { entries: compared.entries, bytes: compared.bytes }
}

async function* pieces(entries, done) {
  let piece = []
  let bytes = 0
  for await (const entry of entries) {
    if (expiresSoon(entry)) {
      done.leftOut++
      continue
    }
    piece.push(entry)
    bytes += entry.key.length + (entry.value?.length ?? 0)
    if (bytes < PIECE_BYTES && piece.length < PIECE_ENTRIES) continue
    yield piece
    piece = []
    bytes = 0
  }
  if (piece.length > 0) yield piece
}

async function copy(store, piece) {
  const short = piece.filter(({ value }) => value)
  await store.write(
    short.map(({ key, value, expiresAt }) => ({ type: 'put', key, value, expiresAt })),
  )
  for (const entry of piece.filter(({ value }) => !value)) {
    const { key, size, expiresAt } = entry
    await store.putStream(key, parts(entry), { size, expiresAt })
  }
}

async function compare(store, piece) {
  const short = piece.filter(({ value }) => value)
  const copies = await store.getMany(short.map(({ key }) => key))
  for (const [i, entry] of short.entries()) if (!copies[i]?.equals(entry.value)) refuse(entry)
  for (const entry of piece.filter(({ value }) => !value)) {
    let offset = 0
    for await (const part of parts(entry)) {
      const same = await store.get(entry.key, { offset, length: PIECE_BYTES })
      if (!same?.equals(part)) refuse(entry)
      offset += part.length
    }
    if ((await store.stat(entry.key))?.size !== offset) refuse(entry)
  }
  for (const entry of piece.filter(({ expiresAt }) => expiresAt !== undefined))
    if ((await store.stat(entry.key))?.expiresAt !== entry.expiresAt) refuse(entry)
}

async function* parts({ size, read }) {
  for (let offset = 0; offset < size; offset += PIECE_BYTES)
    yield await read({ offset, length: PIECE_BYTES })
}

function refuse(entry) {
  if (expiresSoon(entry)) return
  throw new Error(`differs from its copy: ${entry.key.toString('hex')}`)
}

function expiresSoon({ expiresAt }) {
  return expiresAt !== undefined && expiresAt < Date.now() + SOON_MS
}

function count(done, piece) {
  done.entries += piece.length
  for (const { key, size } of piece) done.bytes += key.length + size
  return done
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
