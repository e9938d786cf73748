import { test } from 'vitest'
import { WORKLOADS } from '../crash/workloads.ts'
import { FaultFileSystem } from '../support/fault-file-system.ts'
import { Prng } from '../support/random.ts'
import { Session } from '../support/session.ts'

for (const w of WORKLOADS)
  test(w.name, { timeout: 8000 }, async () => {
    const fs = new FaultFileSystem({ seed: 5 })
    const recent: string[] = []
    fs.onCall = (c) => {
      recent.push(`${c.index} ${c.kind} ${c.path}`)
    }
    const t = setTimeout(() => console.log(recent.length, recent.slice(-25).join('\n')), 5000)
    const session = await Session.open(fs, { options: w.options, seed: 5 })
    await w.run(session, new Prng(5))
    clearTimeout(t)
    console.log(
      w.name,
      session.fileSystem.log.length,
      session.fileSystem.violations,
      session.oracle.issued,
    )
  })
