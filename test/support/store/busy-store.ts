/** Stores with garbage, and processes that have them open, for the tests of the wisc command. */
import type { ChildProcess } from 'node:child_process'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../files/temporary-directory.ts'
import { nextLine, startModule } from '../processes/child-process.ts'

const OPTIONS = {
  workers: 0,
  segmentBytes: 65536,
  valueThreshold: 0,
  collector: { enabled: false },
}

/** A closed store in whose older segments nine of ten values are overwritten. */
export async function storeWithGarbage(): Promise<string> {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, OPTIONS)
  for (let i = 0; i < 300; i++) await store.put(key(i), 'old'.padEnd(1500, '.'))
  for (let i = 0; i < 300; i++) {
    if (i % 10 !== 0) await store.put(key(i), 'new'.padEnd(1500, '.'))
  }
  await store.compact()
  await store.close()
  return db
}

function key(i: number): string {
  return `key ${String(i).padStart(3, '0')}`
}

/**
 * A process that has a store open, with a snapshot of what was there, and writes on. `overwrite` and `close` are told
 * to it; it answers each with a line.
 */
export async function holdOpen(db: string): Promise<ChildProcess> {
  const child = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
     const store = await open(process.argv[1], ${JSON.stringify(OPTIONS)})
     const snapshot = store.snapshot()
     const timer = setInterval(() => store.put('tick', String(performance.now())), 20)
     console.log('open')
     process.stdin.on('data', async (data) => {
       const word = data.toString().trim()
       if (word === 'overwrite') {
         for (let i = 0; i < 300; i++) {
           await store.put('key ' + String(i).padStart(3, '0'), 'newest'.padEnd(1500, '.'))
         }
         await store.flush()
       } else {
         clearInterval(timer)
         if (word === 'close') { snapshot.close(); await store.close() }
       }
       console.log(word)
       if (word === 'close') process.exit()
     })`,
    db,
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  await nextLine(child)
  return child
}

/** Tells it to the process, and waits until it has done it. */
export async function tell(child: ChildProcess, word: 'overwrite' | 'close'): Promise<void> {
  const answer = nextLine(child)
  child.stdin!.write(`${word}\n`)
  await answer
}
