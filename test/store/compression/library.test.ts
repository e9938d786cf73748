/** Which library compresses: zstd-napi, what the platform has, or none; each in a process of its own. */
import { spawnSync } from 'node:child_process'
import zlib from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { documents, HAS_ZSTD } from '../../support/zstd.ts'

const HAS_PLATFORM = 'zstdCompressSync' in zlib

/** Has the package not found, as where it is not installed. */
const HIDING = `data:text/javascript,${encodeURIComponent(`
  import Module from 'node:module'
  const resolve = Module._resolveFilename
  Module._resolveFilename = function (request, ...rest) {
    if (request.startsWith('zstd-napi')) throw Object.assign(new Error('hidden'), { code: 'MODULE_NOT_FOUND' })
    return resolve.call(this, request, ...rest)
  }
`)}`

/** Runs statements with `open` and `path`, and `document`, in a process; what they write is returned. */
function run(path: string, hides: boolean, statements: string): string {
  const url = new URL('../../../dist/lib/index.js', import.meta.url).href
  const text = `
    import { open } from ${JSON.stringify(url)}
    const path = ${JSON.stringify(path)}
    const document = Buffer.from(${JSON.stringify(documents(4096, 1).toString())})
    ${statements}
  `
  const flags = hides ? ['--import', HIDING] : []
  const result = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', text])
  if (result.status !== 0) throw new Error(result.stderr.toString())
  return result.stdout.toString()
}

const PUT = `
  const store = await open(path, { compression: 'zstd', workers: 0 })
  await store.put('key', document)
  const { codec } = await store.stat('key')
  await store.put('large', Buffer.concat(Array(100).fill(document)))
  const right = store.getSync('key').equals(document) && store.getSync('large').length === 409600
  await store.close()
  process.stdout.write(codec + ' ' + right)
`

test('without any, a store that compresses nothing is as ever', () => {
  const answer = run(
    temporaryDirectory(),
    true,
    `const store = await open(path)
    await store.put('key', document)
    process.stdout.write(String(store.getSync('key').equals(document)))
    await store.close()`,
  )
  expect(answer).toBe('true')
})

describe.skipIf(HAS_PLATFORM)('without any', () => {
  test('a store that shall compress does not open, and a put that shall is refused', () => {
    const answer = run(
      temporaryDirectory(),
      true,
      `const compression = 'zstd'
      const tell = ({ code, message }) => process.stdout.write(code + ' ' + message + '; ')
      await open(path, { compression }).catch(tell)
      const store = await open(path)
      await store.put('key', document, { compression }).catch(tell)
      await store.put('key', document)
      await store.close()`,
    )
    const told =
      'WISC_CODEC_UNAVAILABLE compressed values need the package zstd-napi (npm install zstd-napi; npm rebuild ' +
      'zstd-napi makes a native part that is missing), or Node 22.15; '
    expect(answer).toBe(told.repeat(2))
  })

  test.skipIf(!HAS_ZSTD)('what is compressed is refused when it is read, and stays', async () => {
    const path = temporaryDirectory()
    run(path, false, PUT)
    const answer = run(
      path,
      true,
      `const store = await open(path)
      const codes = []
      const note = ({ code }) => codes.push(code)
      try { store.getSync('key') } catch (error) { note(error) }
      await store.get('key').catch(note)
      await store.get('large', { offset: 70000, length: 10 }).catch(note)
      await store.getMany(['large']).catch(note)
      codes.push((await store.stat('key')).codec)
      await store.put('other', 'value')
      await store.compact()
      await store.collect()
      await store.close()
      process.stdout.write(codes.join(' '))`,
    )
    expect(answer).toBe(`${'WISC_CODEC_UNAVAILABLE '.repeat(4)}zstd`)
    const store = await open(path)
    expect(store.getSync('key')?.equals(documents(4096, 1))).toBe(true)
    expect((await store.verify()).damage).toEqual([])
    await store.close()
  })
})

test.skipIf(!HAS_PLATFORM)('without the package, the platform compresses', () => {
  expect(run(temporaryDirectory(), true, PUT)).toBe('zstd true')
})

test.skipIf(!HAS_ZSTD)('each reads what the other has written', () => {
  for (const hides of HAS_PLATFORM ? [false, true] : [false]) {
    const path = temporaryDirectory()
    expect(run(path, hides, PUT)).toBe('zstd true')
    const answer = run(
      path,
      HAS_PLATFORM && !hides,
      `const store = await open(path, { readOnly: true })
      process.stdout.write(String(store.getSync('key').equals(document)))
      await store.close()`,
    )
    expect(answer).toBe('true')
  }
})
