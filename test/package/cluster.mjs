/** In a cluster: the primary writes, its workers read beside it and have stores of their own. */
import assert from 'node:assert'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as wisc from 'wisc'
import smoke from './smoke.cjs'

if (cluster.isPrimary) {
  const directory = mkdtempSync(join(tmpdir(), 'wisc-cluster-'))
  const store = await wisc.open(join(directory, 'store'))
  await store.put('primary', 'is here')
  const workers = [1, 2].map(() => cluster.fork({ STORE: join(directory, 'store') }))
  const codes = await Promise.all(workers.map((worker) => once(worker, 'exit')))
  await store.close()
  rmSync(directory, { recursive: true })
  assert.deepStrictEqual(
    codes.map(([code]) => code),
    [0, 0],
  )
  console.log('cluster runs')
} else {
  const beside = await wisc.open(process.env.STORE, { readOnly: true })
  assert.strictEqual(String(await beside.get('primary')), 'is here')
  await beside.close()
  await smoke(wisc)
  process.exit()
}
