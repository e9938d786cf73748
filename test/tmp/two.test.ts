import { test } from 'vitest'
import { FaultFileSystem } from '../support/fault-file-system.ts'
import { Session } from '../support/session.ts'
import { Prng } from '../support/random.ts'
import { WORKLOADS } from '../crash/workloads.ts'
import { MIXED } from '../crash/faults.test.ts'
test('x', { timeout: 8000 }, async () => {
  const seed = 4142910345
    const fs = new FaultFileSystem({ seed })
    let n = 0
    const calls: string[] = []
    const faults = (c: any) => {
      calls.push(`${c.index} ${c.kind} ${c.path} ${c.bytes}`)
      if (!['sync', 'syncDirectory'].includes(c.kind)) return undefined
      if (++n < 9) return undefined
      calls.push('   ^^^ refused')
      return { errno: 'EIO' }
    }
    fs.faults = faults
    const s = await Session.open(fs, { options: WORKLOADS[0]!.options, seed, tolerant: true, onKill: (next) => { calls.push('KILL'); next.faults = faults } })
    const mark = fs.mark.bind(fs)
    fs.mark = (m) => { calls.push(JSON.stringify(m)); mark(m) }
    await MIXED.run(s, new Prng(seed))
    console.log(s.errors.map(String), calls.join('\n'), s.oracle.knowledge())
})
