/** A process that has a store open and changes everything in it, round after round, in many small files. */
import { once } from 'node:events'
import { nextLine, startModule } from '../processes/child-process.ts'

/** Names are `key 0000` and on; pieces of code know `store`, and the number `i` of a key. */
interface BusyWrites {
  readonly keys: number
  /** The length of a value; shorter ones are as long as the number of the round. */
  readonly length: string
  /** After the first round. */
  readonly first?: string
  /** After each later round. */
  readonly between?: string
}

export interface BusyWriter {
  /** Closes the store. @returns exit code and signal */
  stop(): Promise<unknown[]>
}

/** Resolves when the first round is written. */
export async function startBusyWriter(db: string, writes: BusyWrites): Promise<BusyWriter> {
  const { keys, length, first = '', between = '' } = writes
  const writer = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
     const store = await open(process.argv[1], { memtableBytes: 65536, valueThreshold: 300,
       segmentBytes: 65536, tree: { tableBytes: 4096, blockBytes: 256 } })
     const round = async (n) => {
       for (let i = 0; i < ${keys}; i++) {
         await store.put('key ' + String(i).padStart(4, '0'), String(n).padEnd(${length}, '.'))
       }
     }
     await round(0)
     ${first}
     console.log('ready')
     let stopped = false
     process.stdin.once('data', () => { stopped = true })
     for (let n = 1; !stopped; n++) { await round(n); ${between} }
     await store.close()`,
    db,
  )
  const ended = once(writer, 'exit')
  await nextLine(writer)
  return {
    stop: () => {
      writer.stdin!.end('stop')
      return ended
    },
  }
}
