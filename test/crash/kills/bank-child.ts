/**
 * The child of bank.test.ts: moves money between accounts, in three ways, until it is killed.
 *
 *   node bank-child.js DIRECTORY SEED      stdout: "begin", then "done N" for each transfer that was acknowledged
 *
 * A transfer also writes its number under a key of its caller, in the same transaction.
 */
import { writeSync } from 'node:fs'
import { ConflictError, open } from '#dist/lib/index.js'
import { Prng } from '../../support/random.ts'
import { ACCOUNTS, accountKey, CALLERS, callerKey, KILL_OPTIONS } from './kill-history.ts'

const [directory, seed] = process.argv.slice(2)
const store = await open(directory!, { ...KILL_OPTIONS, workers: 0 })
writeSync(1, 'begin\n')

async function caller(name: number, prng: Prng): Promise<void> {
  for (let number = Number((await store.get(callerKey(name))) ?? 0) + 1; ; number++) {
    const [from, to] = [prng.below(ACCOUNTS), prng.below(ACCOUNTS)].map(accountKey)
    if (from === to) continue
    const amount = prng.below(50)
    if (prng.chance(0.5)) {
      await store.transactionSync(
        (tx) => {
          tx.put(from!, String(Number(tx.get(from!)) - amount))
          tx.put(to!, String(Number(tx.get(to!)) + amount))
          tx.put(callerKey(name), String(number))
        },
        { sync: prng.chance(0.1) },
      )
    } else {
      try {
        await store.transaction(async (tx) => {
          const [left, right] = await tx.getMany([from!, to!])
          tx.put(from!, String(Number(left) - amount))
          tx.put(to!, String(Number(right) + amount))
          tx.put(callerKey(name), String(number))
        })
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
        number--
        continue
      }
    }
    writeSync(1, `done ${name} ${number}\n`)
    if (number % 100 === 0) await store.flush()
    if (number % 40 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

const prng = new Prng(Number(seed))
await Promise.all(Array.from({ length: CALLERS }, (_, name) => caller(name, prng.fork())))
