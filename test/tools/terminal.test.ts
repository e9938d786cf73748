/** The wisc command in a real terminal: width, colour, escapes. Skipped where no `script` of util-linux is. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore } from '../support/processes/wisc-process.ts'
import { hasScript, runInTerminal, runShell, WISC } from '../support/processes/wisc-shell.ts'

const ESCAPE = '\u001b'
const EVIL = `${ESCAPE}]0;title\u0007${ESCAPE}[2J\u009b31m\u202etxt\r\n`

describe.skipIf(!hasScript())('in a terminal', () => {
  async function evilStore(): Promise<string> {
    const db = path.join(temporaryDirectory(), 'store')
    await makeStore(db, [
      [EVIL, EVIL],
      ['long', 'long '.repeat(1000)],
      ['漢字', '漢字'.repeat(100)],
    ])
    return db
  }

  test('keys and values cannot control it, and lines fit', async () => {
    const db = await evilStore()
    for (const columns of [40, 80]) {
      const { code, out } = runInTerminal(`${WISC} scan ${db}`, columns)
      expect(code).toBe(0)
      const lines = out.split('\r\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
      for (const line of lines) expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/)
      expect(lines[1]).toBe(`long  ${'long '.repeat(20).slice(0, columns - 7)}…`)
      expect(lines[2]).toMatch(/^漢字 {2}(漢字)+漢?…$/)
      expect(lines.slice(3)).toEqual([''])
    }
    const value = runInTerminal(`${WISC} get ${db} 漢字`, 40)
    expect(value.out).toBe(`${'漢字'.repeat(100)}\r\n`)
    const missing = runInTerminal(`${WISC} get ${db} "$EVIL"`, 40, { EVIL: `${ESCAPE}[2J` })
    expect(missing.out).toBe('wisc: key not found: "\\x1b[2J"\r\n')
    const json = runInTerminal(`${WISC} scan ${db} --json --limit 1`, 80)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(json.out.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/)
    expect(JSON.parse(json.out)).toEqual({ key: EVIL, value: EVIL })
  })

  test('keys that do not fit are cut, with their length', async () => {
    const db = path.join(temporaryDirectory(), 'store')
    await makeStore(db, [['k'.repeat(60_000), 'value '.repeat(10)]])
    for (const columns of [40, 80]) {
      const room = columns - 14
      const { out } = runInTerminal(`${WISC} scan ${db}`, columns)
      expect(out).toBe(`${'k'.repeat(room - 11)}… (60000 bytes)  value v…\r\n`)
      const keys = runInTerminal(`${WISC} scan ${db} --keys-only`, columns)
      expect(keys.out).toBe(`${'k'.repeat(columns - 15)}… (60000 bytes)\r\n`)
    }
  })

  test('colour is there, and goes with NO_COLOR and TERM=dumb', async () => {
    const db = await evilStore()
    const stat = `${WISC} stat ${db}`
    const plain = runInTerminal(stat, 80, { NO_COLOR: '1' }).out
    expect(plain).not.toContain(ESCAPE)
    expect(plain).toContain('#####')
    expect(runInTerminal(stat, 80, { TERM: 'dumb' }).out).toBe(plain)
    const coloured = runInTerminal(stat, 80).out
    expect(coloured).toContain(`${ESCAPE}[32m#`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours
    expect(coloured.replaceAll(/\x1b\[\d+m/g, '')).toBe(plain)
  })

  test('the width of the terminal counts, not COLUMNS', async () => {
    const db = await evilStore()
    const { out } = runInTerminal(`${WISC} stat ${db}`, 40, { COLUMNS: '200', NO_COLOR: '1' })
    for (const line of out.split('\r\n').slice(1)) expect(line.length).toBeLessThanOrEqual(40)
  })

  test.each([
    ['y\\n', '', 0],
    ['yes\\n', '', 0],
    ['n\\n', '', 1],
    ['\\n', '', 1],
    ['yellow\\n', '', 1],
    // Ctrl-D.
    ['\\004', '', 1],
    ['', '--yes', 0],
  ])('what would be lost is asked for: %j %s', (typed, option, code) => {
    const module = import.meta.resolve('#dist/tools/verb/input.js')
    const codes = import.meta.resolve('#dist/tools/terminal/exit-code.js')
    const program = [
      `import { confirm } from "${module}"`,
      `import { exitCodeOf } from "${codes}"`,
      'const asked = confirm("delete everything", process.argv.includes("--yes"), new AbortController().signal)',
      'process.exit(await asked.then((agrees) => agrees ? 0 : 1, exitCodeOf))',
    ].join(';')
    const command = `'${process.execPath}' --input-type=module -e '${program}' -- ${option}`
    const result = runInTerminal(command, 80, {}, typed)
    expect(result.code, result.out).toBe(code)
    expect(result.out.includes('delete everything? [y/N]')).toBe(option === '')
    expect(runShell(`${command} < /dev/null`).code).toBe(option === '' ? 2 : 0)
  })
})
