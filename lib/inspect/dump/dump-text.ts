/**
 * The items of files without numbers: CURRENT (lib/tree/FORMAT.md, section 3), LOCK (lib/base/platform/lock.ts) and
 * BALLAST.
 */

import { hex32 } from '../../base/bytes.ts'
import { crc32From } from '../../base/checksum.ts'
import { newerVersion } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, FORMAT_VERSION } from '../../base/files/file-header.ts'
import { type DumpContext, readRange } from './dump-context.ts'
import { errorItem, findIdentity, headerItems } from './file-identity.ts'
import { damageItem, type Field, type Item } from './items.ts'

const TEXT_BYTES_MAX = 4096
const LOCK_WORDS = ['pid', 'processStartTime', 'bootId', 'hostName', 'pidNamespace', 'heldBy']

/** Words of a text, each as a field. */
function wordItem(
  what: string,
  text: string,
  offset: number,
  separator: RegExp,
  nameOf: (index: number) => string,
): Item {
  const fields: Field[] = []
  let at = 0
  for (const word of text.split(separator)) {
    const name = nameOf(fields.length)
    fields.push({ name, offset: offset + at, length: word.length, value: word, isDetail: false })
    at += word.length + 1
  }
  return { what, offset, length: text.length, fields }
}

export function* dumpCurrent({ file, name, size }: DumpContext): Generator<Item> {
  const bytes = readRange(file, 0, Math.min(size, TEXT_BYTES_MAX))
  const text = Buffer.from(bytes).toString('latin1')
  const names = ['wisc', 'manifest', 'database', 'checksum']
  let at = 0
  let isWhole = false
  for (const line of text.split('\n')) {
    if (line === '' && names.length === 0) break
    const word = line.split(' ', 1)[0]!
    const value = line.slice(word.length + 1)
    // In front of the checksum newer versions may have lines of their own.
    const isAdded = names.length === 1 && (word === 'may' || word === 'must')
    if ((!isAdded && word !== names.shift()) || value === '') {
      yield damageItem(at, text.length, 'CURRENT is malformed')
      return
    }
    const start = at + word.length + 1
    const label = word === 'wisc' ? 'formatVersion' : word
    const field = { name: label, offset: start, length: value.length, value, isDetail: false }
    yield { what: 'line', offset: at, length: line.length + 1, fields: [field] }
    const what =
      isAdded && word === 'must'
        ? 'database needs what this version does not know'
        : word === 'wisc' && value !== `${FORMAT_VERSION}`
          ? 'database is of another format'
          : undefined
    if (what !== undefined) {
      yield errorItem(newerVersion(name, at, what), at, at + line.length)
    }
    if (word === 'checksum') {
      isWhole = true
      const expected = hex32(crc32From(0, bytes.subarray(0, at)))
      if (value !== expected) {
        yield damageItem(at, at + line.length, `CURRENT fails its checksum, expected=${expected}`)
      }
    }
    at += line.length + 1
  }
  if (!isWhole) yield damageItem(at, at, 'CURRENT is cut off')
}

export function* dumpLock({ file, size }: DumpContext): Generator<Item> {
  if (size === 0) return
  const text = Buffer.from(readRange(file, 0, Math.min(size, TEXT_BYTES_MAX))).toString('latin1')
  const [holder = '', ...rest] = text.split('\n')
  const nameOf = (index: number): string => LOCK_WORDS[index] ?? 'unknown'
  if (holder !== '') yield wordItem('holder', holder, 0, / /, nameOf)
  let offset = holder.length + 1
  for (const line of rest) {
    // A path may have spaces in it.
    const value = line.replace(/^socket /, '')
    const name = value === line ? 'unknown' : 'socket'
    const start = offset + line.length - value.length
    const field = { name, offset: start, length: value.length, value, isDetail: false }
    if (line !== '') yield { what: 'line', offset, length: line.length, fields: [field] }
    offset += line.length + 1
  }
}

export function* dumpBallast({ file, name, size }: DumpContext): Generator<Item> {
  const head = readRange(file, 0, Math.min(FILE_HEADER_BYTES, size))
  yield* headerItems(head, findIdentity(head, name, undefined, undefined).error)
  if (size <= FILE_HEADER_BYTES) return
  const offset = FILE_HEADER_BYTES
  const length = size - offset
  const field = { name: 'ballast', offset, length, value: undefined, isDetail: false }
  yield { what: 'ballast', offset, length, fields: [field] }
}
