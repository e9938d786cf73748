/** Sizes, tables and bars: what they show, and that they fit. */
import { expect, test } from 'vitest'
import { formatBar } from '#dist/tools/terminal/bar.js'
import { type Column, formatFields, formatTable } from '#dist/tools/terminal/table.js'
import { fitText, textWidth } from '#dist/tools/terminal/text-width.js'
import { formatBytes, formatCount } from '#dist/tools/terminal/units.js'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1024 * 1024 - 1, '1.0 MiB'],
  [1024 * 1023, '1023.0 KiB'],
  [12.5 * 1024 ** 3, '12.5 GiB'],
  [2 ** 53, '8.0 PiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes, false)).toBe(text)
  expect(formatBytes(bytes, true)).toBe(`${bytes} B`)
})

test('counts have groups of three digits', () => {
  expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567'])
})

test('wide characters take two columns, marks none, colours none', () => {
  expect(['abc', 'ä', 'a\u0308', '漢字', '🐈', '\u001b[31mred\u001b[39m'].map(textWidth)).toEqual([
    3, 1, 1, 4, 2, 3,
  ])
  expect(fitText('漢字漢字', 5)).toBe('漢字…')
  expect(fitText('abc', 3)).toBe('abc')
})

const COLUMNS: readonly Column[] = [
  { title: 'name', align: 'left', columnsMin: 6 },
  { title: 'size' },
  { title: 'share', align: 'left' },
]
const bar = (share: number) => (cells: number) =>
  formatBar(
    [
      { amount: share, sign: '#' },
      { amount: 1 - share, sign: '.' },
    ],
    cells,
  )
const ROWS = [
  ['000001.vlog', '64.0 MiB', bar(0.72)],
  ['漢字', '1 B', bar(0)],
]

test('a table takes what it needs, shrinks to fit, and falls into blocks where it cannot', () => {
  expect(formatTable(COLUMNS, ROWS, 80)).toBe(
    'name             size  share\n' +
      '000001.vlog  64.0 MiB  ######################........\n' +
      '漢字              1 B  ..............................\n',
  )
  expect(formatTable(COLUMNS, ROWS, 30)).toBe(
    'name            size  share\n000001.vl…  64.0 MiB  ######..\n漢字             1 B  ........\n',
  )
  expect(formatTable(COLUMNS, ROWS, 20)).toBe(
    'name   000001.vlog\nsize   64.0 MiB\nshare  #########....\n\nname   漢字\nsize   1 B\nshare  .............\n',
  )
  for (let width = 20; width < 90; width++) {
    const lines = formatTable(COLUMNS, ROWS, width).split('\n')
    for (const line of lines) expect(textWidth(line), line).toBeLessThanOrEqual(width)
  }
})

test('fields stand below each other', () => {
  expect(
    formatFields(
      [
        ['a', '1'],
        ['long', '2'],
      ],
      40,
    ),
  ).toBe('a     1\nlong  2\n')
})

test('a field that is too long goes on below itself', () => {
  expect(
    formatFields(
      [
        ['why', 'a sentence that is too long'],
        ['b', '2'],
      ],
      20,
    ),
  ).toBe('why  a sentence that\n     is too long\nb    2\n')
})

test('a bar has exactly its cells, and a cell for everything that is not empty', () => {
  const amounts = [1e9, 1, 0, 3e8]
  const parts = amounts.map((amount, index) => ({ amount, sign: '#x.o'[index]! }))
  expect(formatBar(parts, 10)).toBe('#######xoo')
  for (let cells = 3; cells < 60; cells++) expect(formatBar(parts, cells)).toHaveLength(cells)
  expect(formatBar([{ amount: 0, sign: '#' }], 10)).toBe('')
})
