/**
 * An HTTP server for files of any size: PUT stores one, GET and HEAD serve it or a range of it, DELETE takes it away.
 *
 *   node examples/file-server.mjs [DIRECTORY] [PORT]
 *   curl -T film.mp4 localhost:8080/film.mp4 && curl -r 1000-1999 localhost:8080/film.mp4
 *
 * An upload is seen when all of it is on disk; a download gets the file as it was when it began.
 */
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { open } from 'wisc'

const store = await open(process.argv[2] ?? 'files')

/** What a Range header asks for; undefined if nothing of it is there. */
function rangeOf(header, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header || '') ?? []
  const isGiven = first ? !last || Number(last) >= Number(first) : last
  if (!isGiven) return { offset: 0, length: size, status: 200 }
  const offset = first ? Number(first) : Math.max(0, size - Number(last))
  const end = first && last ? Math.min(Number(last) + 1, size) : size
  return offset < end ? { offset, length: end - offset, status: 206 } : undefined
}

async function serve(key, { method, headers }, response, snapshot) {
  const found = await store.stat(key, { snapshot })
  if (!found) return response.writeHead(404).end()
  const etag = `"${found.sequence}"`
  const known = headers['if-none-match']?.split(/\s*,\s*/) ?? []
  if (known.some((tag) => tag === '*' || tag.replace('W/', '') === etag))
    return response.writeHead(304, { etag }).end()
  const part = rangeOf((headers['if-range'] ?? etag) === etag && headers.range, found.size)
  response.setHeader('accept-ranges', 'bytes').setHeader('etag', etag)
  const from = part ? `${part.offset}-${part.offset + part.length - 1}` : '*'
  if (part?.status !== 200) response.setHeader('content-range', `bytes ${from}/${found.size}`)
  if (!part) return response.writeHead(416).end()
  response.writeHead(part.status, { 'content-length': part.length })
  if (method === 'HEAD') return response.end()
  const bytes = await store.getStream(key, { snapshot, offset: part.offset, length: part.length })
  await pipeline(Readable.fromWeb(bytes), response)
}

async function answer(request, response) {
  const key = decodeURIComponent(
    new URL(request.url.replace(/^\//, 'http://host/')).pathname.slice(1),
  )
  const { method, headers } = request
  if (method === 'GET' || method === 'HEAD') {
    const snapshot = store.snapshot()
    return serve(key, request, response, snapshot).finally(() => snapshot.close())
  }
  const size = headers['content-length'] && { size: Number(headers['content-length']) }
  if (method === 'PUT') await store.putStream(key, request, { sync: true, ...size })
  else if (method === 'DELETE') await store.delete(key, { sync: true })
  response.writeHead(method === 'PUT' || method === 'DELETE' ? 204 : 405).end()
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (response.headersSent) response.destroy()
    else response.writeHead(error instanceof URIError ? 400 : 500).end(`${error.message}\n`)
  })
})
server.on('listening', () => console.log(`http://localhost:${server.address().port}`))
server.listen(Number(process.argv[3] ?? 8080))
// What is under way comes to its end, then everything is on disk.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => server.close(() => store.close()))
