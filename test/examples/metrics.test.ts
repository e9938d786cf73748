/** The server of metrics, asked as Prometheus does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { nextLine } from '../support/processes/child-process.ts'
import { readMetrics } from '../support/prometheus.ts'

const SERVER = path.join(import.meta.dirname, '../../examples', 'metrics.mjs')

test('metrics.mjs answers, times its calls, and ends in order', async () => {
  const server = spawn(process.execPath, [SERVER, path.join(temporaryDirectory(), 'db'), '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void server.kill('SIGKILL'))
  const url = await nextLine(server)
  const puts = async (): Promise<number> => {
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    const { samples } = readMetrics(await response.text()).get('wisc_put_duration_seconds')!
    return samples.at(-1)!.value
  }
  expect(await puts()).toBe(0)
  await eventually(async () => expect(await puts()).toBeGreaterThan(1))
  expect((await fetch(new URL('/other', url))).status).toBe(404)
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
})
