/** File names: made from numbers and read back, anything else is none. */

import { expect, test } from 'vitest'
import {
  manifestName,
  parseFileName,
  segmentName,
  tableName,
} from '#dist/lib/base/files/file-names.js'

test.each([
  [1, '000001'],
  [999_999, '999999'],
  [1_000_000, '1000000'],
  [2 ** 32 - 1, '4294967295'],
])('number %i', (number, digits) => {
  expect(tableName(number)).toBe(`${digits}.sst`)
  expect(segmentName(number)).toBe(`${digits}.vlog`)
  expect(manifestName(number)).toBe(`MANIFEST-${digits}`)
  expect(parseFileName(tableName(number))).toEqual({ kind: 'table', number })
  expect(parseFileName(segmentName(number))).toEqual({ kind: 'segment', number })
  expect(parseFileName(manifestName(number))).toEqual({ kind: 'manifest', number })
})

test.each([
  '',
  'CURRENT',
  'LOCK',
  'BALLAST',
  '1.sst',
  '0000001.sst',
  '00000a.sst',
  '000001.SST',
  '000001.sst ',
  ' 000001.sst',
  '000001.sst\n',
  '000001.sst.tmp',
  '../000001.sst',
  'MANIFEST-1',
  'MANIFEST-0000012',
  'MANIFEST-000012.sst',
  '-00001.vlog',
  '12345678901.vlog',
])('%j is no name of a numbered file', (name) => {
  expect(parseFileName(name)).toBeUndefined()
})
