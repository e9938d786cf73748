/** Which worker a job goes to. */
import { expect, test } from 'vitest'
import { JobRate } from '#dist/lib/jobs/job-rate.js'
import type { Job } from '#dist/lib/jobs/messages.js'
import { chooseWorker, type WorkerLoad } from '#dist/lib/jobs/worker-choice.js'
import { fakeJob } from '../../support/parts/fake-worker.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

type Kind = Job['kind']
const KINDS: readonly Kind[] = ['flush', 'compaction', 'mark', 'rewrite', 'punch', 'walk']

/** A store that may use every worker, and others. */
const share = { workersMax: 100 }
const others = Array.from({ length: 10 }, () => ({ workersMax: 100 }))

/** Words as `rewrite` or `rewrite@0`: a job of that kind, held to a rate; `3:rewrite`: one of another store. */
function load(words: string): WorkerLoad {
  const jobs = words.split(' ').filter((word) => word !== '')
  return {
    jobs: new Map(
      jobs.map((word, id) => {
        const [, other, kind, rate] = /^(?:(\d):)?(\w+)(?:@(\d+))?$/.exec(word)!
        const job = fakeJob(kind as Kind, { slices: 1 })
        return [
          id,
          {
            job,
            rate: rate === undefined ? undefined : new JobRate(Number(rate)),
            share: other === undefined ? share : others[Number(other)]!,
          },
        ]
      }),
    ),
  }
}

/** @param workers what each is busy with @returns its index */
function choose(
  kind: Kind,
  workers: readonly string[],
  most: number,
  by: typeof share = share,
): number | 'new' | undefined {
  const loads = workers.map(load)
  const choice = chooseWorker(kind, by, loads, most)
  return typeof choice === 'object' ? loads.indexOf(choice) : choice
}

test('a flush goes to an idle worker, a new one, or one whose work can stand still', () => {
  expect(choose('flush', [], 2)).toBe('new')
  expect(choose('flush', ['rewrite'], 2)).toBe('new')
  expect(choose('flush', ['rewrite', ''], 2)).toBe(1)
  expect(choose('flush', ['compaction', 'rewrite'], 2)).toBe(1)
  expect(choose('flush', ['flush', 'rewrite'], 2)).toBe(1)
  expect(choose('flush', ['flush'], 1)).toBe(0)
})

test('any job goes to an idle worker or a new one', () => {
  expect(choose('compaction', [], 1)).toBe('new')
  expect(choose('compaction', ['compaction'], 2)).toBe('new')
  expect(choose('compaction', ['compaction', ''], 2)).toBe(1)
  expect(choose('rewrite', ['compaction', ''], 2)).toBe(1)
  expect(choose('walk', ['rewrite', ''], 2)).toBe(1)
})

test('of idle workers the first takes jobs of the tree, the last those of the collector', () => {
  for (const kind of KINDS) {
    const isOfTree = kind === 'flush' || kind === 'compaction'
    expect(choose(kind, ['', '', ''], 3), kind).toBe(isOfTree ? 0 : 2)
    expect(choose(kind, ['walk', '', ''], 4), kind).toBe(isOfTree ? 1 : 2)
  }
})

test('a compaction goes before a rewrite on the same worker when none is idle', () => {
  expect(choose('compaction', ['rewrite'], 1)).toBe(0)
  expect(choose('compaction', ['flush', 'rewrite'], 2)).toBe(1)
  expect(choose('compaction', ['rewrite', ''], 3)).toBe(1)
})

test('the jobs of the collector wait for each other and for what is more urgent', () => {
  expect(choose('walk', ['rewrite', 'punch'], 2)).toBeUndefined()
  expect(choose('rewrite', ['compaction', 'flush'], 2)).toBeUndefined()
  expect(choose('mark', ['flush'], 1)).toBeUndefined()
})

test('a job that is held to a rate keeps no worker from others', () => {
  expect(choose('walk', ['rewrite@0', 'mark'], 2)).toBe(0)
  expect(choose('walk', ['rewrite@1000'], 1)).toBe(0)
  expect(choose('compaction', ['compaction@0', 'flush'], 2)).toBe(0)
  expect(choose('walk', ['rewrite@0 mark', 'mark'], 2)).toBeUndefined()
  // An idle one is better.
  expect(choose('compaction', ['rewrite@0', ''], 3)).toBe(1)
  expect(choose('mark', ['rewrite@0 rewrite@0', 'rewrite@0'], 2)).toBe(1)
})

test('whatever the workers do, a flush is never kept waiting, and no worker is idle while a job waits', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let run = 0; run < 2000; run++) {
    const most = 1 + prng.below(4)
    const workers = Array.from({ length: prng.below(most + 1) }, () =>
      Array.from({ length: prng.below(3) }, () => prng.pick(['flush', 'mark', 'compaction@5'])),
    ).map((words) => words.join(' '))
    for (const kind of KINDS) {
      const choice = choose(kind, workers, most)
      const context = `${kind} to ${JSON.stringify(workers)} of ${most}, ${replayHint(seed)}`
      if (kind === 'flush') expect(choice, context).toBeDefined()
      if (workers.includes('')) expect(workers[choice as number], context).toBe('')
      if (choice === 'new') expect(workers.length, context).toBeLessThan(most)
    }
  }
})

test('jobs of several stores take turns on a worker, but not of very many', () => {
  expect(choose('compaction', ['1:compaction'], 1)).toBe(0)
  expect(choose('rewrite', ['1:compaction', '2:rewrite 1:mark'], 2)).toBe(1)
  expect(choose('rewrite', ['1:compaction 2:compaction 3:walk 4:walk', '1:mark'], 2)).toBe(1)
  expect(choose('rewrite', ['1:compaction 2:compaction 3:walk 4:walk', 'mark'], 2)).toBeUndefined()
  expect(choose('flush', ['1:flush 2:flush 3:flush 4:flush 5:flush'], 1)).toBe(0)
})

test('a store is on no more workers than its share', () => {
  const own = { workersMax: 1 }
  const busy = new JobRate(undefined)
  const with1 = {
    jobs: new Map([[1, { job: fakeJob('rewrite', { slices: 1 }), rate: busy, share: own }]]),
  }
  const idle = { jobs: new Map() }
  expect(chooseWorker('compaction', own, [idle, with1], 2)).toBe(with1)
  expect(chooseWorker('walk', own, [idle, with1], 3)).toBeUndefined()
  expect(chooseWorker('walk', share, [with1, idle], 2)).toBe(idle)
})
