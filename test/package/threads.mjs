/** In worker threads of the program's own: two at a time, a store each. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const threads = ['import.mjs', 'require.cjs'].map(
  (name) => new Worker(new URL(name, import.meta.url)),
)
const codes = await Promise.all(threads.map((thread) => once(thread, 'exit')))
if (codes.some(([code]) => code !== 0)) process.exitCode = 1
