/**
 * A server that says how a store is doing, for Prometheus to ask every few seconds.
 *
 *   node examples/metrics.mjs [DIRECTORY] [PORT]
 *
 * scrape_configs: [{ job_name: wisc, static_configs: [{ targets: ['localhost:9464'] }] }]
 */
import { createServer } from 'node:http'
import { open } from 'wisc'

const [directory = 'metrics.db', port = '9464'] = process.argv.slice(2)
const store = await open(directory)

const server = createServer(({ url }, response) => {
  if (url !== '/metrics') return response.writeHead(404).end()
  response.setHeader('content-type', 'text/plain; version=0.0.4')
  response.end(store.metrics())
})
server.listen(Number(port), () => console.log(`http://localhost:${server.address().port}/metrics`))

// Something to see: a program puts and gets here.
const beat = setInterval(async () => {
  await store.put('beat', new Date().toISOString())
  await store.get('beat')
}, 100)

process.once('SIGTERM', async () => {
  clearInterval(beat)
  server.close()
  await store.close()
})
