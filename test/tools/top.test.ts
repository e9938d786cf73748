/** top through the real command: in a real terminal (tmux), without one, and with nobody who answers. */
import { once } from 'node:events'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { Output } from '#dist/tools/terminal/output.js'
import { renderScreen, toSample } from '#dist/tools/verb/top-sample.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { hasTmux, startTerminal } from '../support/processes/tmux.ts'
import { startWisc, wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { WISC } from '../support/processes/wisc-shell.ts'
import { holdOpen, storeWithGarbage, tell } from '../support/store/busy-store.ts'

interface Sample {
  readonly seconds: number | null
  readonly rates: { readonly writes: number; readonly userBytes: number } | null
  readonly snapshots: number
  readonly lastSequence: number
}

test('a line a second, as text and as JSON', async () => {
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  const samples = await wiscJson<Sample>(['top', db, '--count', '3'])
  expect(samples.map(({ rates }) => rates !== null)).toEqual([false, true, true])
  for (const { seconds, rates, snapshots } of samples.slice(1)) {
    expect(seconds).toBeGreaterThan(0.9)
    expect(rates!.writes).toBeGreaterThan(0)
    expect(rates!.userBytes).toBeGreaterThan(0)
    expect(snapshots).toBe(1)
  }
  expect(samples[2]!.lastSequence).toBeGreaterThan(samples[0]!.lastSequence)
  const { code, out, err } = await wisc(['top', db, '--count', '2'])
  expect([code, err]).toEqual([0, ''])
  const lines = out.split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toMatch(/^writes [\d,]+\/s {2}user \S+ \w+\/s .* amplification \d/)
  await tell(child, 'close')
})

test('it ends when the store is closed, when nobody reads, and at Ctrl-C', async () => {
  const db = await storeWithGarbage()
  const child = await holdOpen(db)
  const [watching, deaf, stopped] = [1, 2, 3].map(() => startWisc(['top', db]))
  const err: Buffer[] = []
  watching!.stderr!.on('data', (data: Buffer) => err.push(data))
  await Promise.all([watching, deaf, stopped].map((each) => once(each!.stdout!, 'data')))
  deaf!.stdout!.destroy()
  stopped!.kill('SIGINT')
  expect(await once(stopped!, 'close')).toEqual([130, null])
  expect(await once(deaf!, 'close')).toEqual([0, null])
  const closed = once(watching!, 'close')
  await tell(child, 'close')
  expect(await closed).toEqual([0, null])
  expect(Buffer.concat(err).toString()).toBe('wisc: the store was closed\n')
})

test('nobody answers: what is wrong is said', async () => {
  const db = await storeWithGarbage()
  for (const [path, says] of [
    [db, /no process has this store open/],
    [`${db}/nothing`, /no store/],
  ] as const) {
    const { code, out, err } = await wisc(['top', path])
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(says)
  }
})

describe.skipIf(!hasTmux())('in a terminal', () => {
  test('q ends it, and the terminal is as it was', async () => {
    const db = await storeWithGarbage()
    const child = await holdOpen(db)
    const terminal = startTerminal(`echo before; ${WISC} top ${db}; echo "ended $?"`, 80, 30)
    // A terminal under load shows a screen line by line.
    await terminal.until(/^writes +[\d,]+\/s, /m)
    await terminal.until(/^readers +1 snapshots, 0 iterators, oldest [\d,]+ writes ago$/m)
    const screen = await terminal.until(/^content +#+[.hp#]*$/m)
    expect(screen).not.toContain('before')
    const sequenceOf = (text: string): string => /oldest ([\d,]+)/.exec(text)![1]!
    await terminal.until(new RegExp(`oldest (?!${sequenceOf(screen)} )`))
    terminal.press('x')
    terminal.press('q')
    const after = await terminal.until(/^ended 0$/m)
    // The prompt may come after what was typed at it.
    expect(after).toMatch(/^(\$ )?before$/m)
    expect(after).not.toContain('amplification')
    // What is typed is echoed again, line by line.
    terminal.press('echo back', 'Enter')
    await terminal.until(/^\$ echo back\nback$/m)
    await tell(child, 'close')
  })

  test('it fits a small terminal, also when that changes; Ctrl-C ends it', async () => {
    const db = await storeWithGarbage()
    const child = await holdOpen(db)
    const terminal = startTerminal(`${WISC} top ${db}; echo "ended $?"; stty -a`, 40, 12)
    const small = await terminal.until(/^to the log/m)
    expect(small.split('\n').length).toBeLessThanOrEqual(13)
    expect(small).not.toMatch(/^block cache/m)
    terminal.resize(60, 40)
    await terminal.until(/^block cache/m)
    terminal.press('C-c')
    await terminal.until(/^ended 130$/m)
    // What stty says comes behind it.
    await terminal.until(/[^-]icanon/)
    await terminal.until(/[^-]echo\b/)
    await tell(child, 'close')
  })

  test('the store is closed while it is watched', async () => {
    const db = await storeWithGarbage()
    const child = await holdOpen(db)
    const terminal = startTerminal(`${WISC} top ${db}; echo "ended $?"`, 80, 30)
    await terminal.until(/^to the log/m)
    await tell(child, 'close')
    expect(await terminal.until(/^ended 0$/m)).toContain('wisc: the store was closed')
  })

  test('a store that nobody has open leaves the screen alone', async () => {
    const db = await storeWithGarbage()
    const terminal = startTerminal(`${WISC} top ${db}; echo "ended $?"`, 80, 30)
    expect(await terminal.until(/^ended 2$/m)).toContain('no process has this store open')
  })
})

test('one is not many', async () => {
  const store = await open(path.join(temporaryDirectory(), 'store'), { workers: 0 })
  await store.put('a', '1')
  await store.flush()
  const sample = toSample(store.stats(), undefined, undefined)
  const lines = renderScreen('db', sample, new Output(new AbortController().signal))
  const screen = lines.join('\n')
  expect(screen).toMatch(/\b1 table$/m)
  expect(screen).not.toMatch(/\b1 (segment|relocation|table|step)s\b/)
  await store.close()
})
