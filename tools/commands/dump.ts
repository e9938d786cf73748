/**
 * `wisc dump`: any file of a database, item by item or byte by byte.
 *
 *   text      OFFSET  WHAT  NAME=VALUE ...      one line an item; on a terminal wrapped to its width
 *   annotate  OFFSET  HEX  NAME VALUE           one line a few bytes
 *   JSON      {"what":...,"offset":...,"length":...,"fields":{...}} a line; with --annotate "parts" for "fields"
 */
import fs from 'node:fs'
import { IoError } from '../../lib/index.ts'
import { type Dump, openDump } from '../../lib/inspect/dump/dump.ts'
import type { Field, Item } from '../../lib/inspect/dump/items.ts'
import {
  encodedPieces,
  escapeBytes,
  escapedPieces,
  escapeText,
  jsonMember,
  toJson,
} from '../terminal/escape.ts'
import { EXIT_CODE, InterruptedError, UsageError } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { cutText, padText } from '../terminal/text-width.ts'
import { wrapWords } from '../terminal/wrap.ts'
import { countOf } from '../verb/arguments.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'

/** More is gathered to one write. */
const WRITE_CHARACTERS = 64 * 1024
const OFFSET_COLUMNS = 8
const GAP = '  '
const NO_FILE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EINVAL', 'ELOOP'])

interface Format {
  readonly annotate: boolean
  readonly values: boolean
  readonly hex: boolean
  readonly json: boolean
}

export const dump: Verb = defineVerb({
  usage: 'dump <file>',
  summary: 'Show a file of a database, record by record or byte by byte',
  details:
    'Any file: CURRENT, a manifest, a table, a segment or relocation of the value log, BALLAST, LOCK, files ' +
    'in lost/. Names are those of the FORMAT pages. Where bytes are damaged it says where and why, goes on ' +
    'behind them if it can, and the exit code is 4. Of values only the size is shown. A value whose state is ' +
    '"hole" was dead, and its blocks were freed. Needs no lock and writes nothing; the store may be in use.',
  examples: [
    ['wisc dump photos.db/CURRENT', 'Which manifest is the live one'],
    ['wisc dump photos.db/000002.vlog --json', 'The records of a segment, for programs'],
    ['wisc dump "$(ls photos.db/*.sst | head -n 1)" --annotate', 'Every byte of a table'],
    ['wisc dump photos.db/000002.vlog --from 96 --to 4096', 'A part of it'],
  ],
  options: (command) =>
    command
      .positional('file', { type: 'string', demandOption: true, describe: 'The file' })
      .option('annotate', { type: 'boolean', default: false, describe: 'Byte by byte' })
      .option('values', { type: 'boolean', default: false, describe: 'Show values, too' })
      .option('hex', {
        type: 'boolean',
        default: false,
        describe: 'Keys and values in hexadecimal',
      })
      .option('from', { type: 'number', requiresArg: true, describe: 'Only from this offset on' })
      .option('to', { type: 'number', requiresArg: true, describe: 'Only up to this offset' }),
  run: async ({ file, from, to, annotate, values, hex, json }, { output, progress, signal }) => {
    const range = {
      ...(from !== undefined && { from: countOf(from, '--from') }),
      ...(to !== undefined && { to: countOf(to, '--to') }),
    }
    if (from !== undefined && to !== undefined && from >= to) {
      throw new UsageError('--from must be below --to')
    }
    const opened = open(file, range)
    const format = { annotate, values, hex, json }
    let isDamaged = false
    let isEmpty = true
    try {
      let text = ''
      for (const item of opened.items) {
        isDamaged ||= item.damage !== undefined
        if (!annotate && !item.damage && item.fields.every(({ isDetail }) => isDetail)) continue
        isEmpty = false
        for (const piece of pieces(item, opened, format, output)) {
          text += piece
          if (text.length < WRITE_CHARACTERS) continue
          await output.write(text)
          text = ''
        }
        if (signal.aborted) throw new InterruptedError('interrupted')
        if (output.isClosed) break
      }
      await output.write(text)
    } finally {
      opened.close()
    }
    if (isEmpty && !json) progress.say(whyNothing(opened, from ?? 0))
    return isDamaged ? EXIT_CODE.corruption : EXIT_CODE.fine
  },
})

function open(file: string, range: { from?: number; to?: number }): Dump {
  try {
    return openDump(file, range)
  } catch (error) {
    if (!(error instanceof IoError) || !NO_FILE.has(error.errno)) throw error
    if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
      throw new UsageError(`this is a directory, name a file in it path=${file}`)
    }
    throw new UsageError(`there is no file at this path path=${file} errno=${error.errno}`)
  }
}

/** Says to people why there is nothing to see. */
function whyNothing({ start, end }: Dump, from: number): string {
  if (start === end) return 'empty file'
  if (from >= end) return `nothing to show: the file ends at offset ${end}, before --from`
  return 'nothing to show here'
}

function pieces(item: Item, file: Dump, format: Format, output: Output): Iterable<string> {
  if (format.json) return jsonPieces(item, file, format)
  return format.annotate
    ? annotatedPieces(item, file, format, output)
    : textPieces(item, file, format, output)
}

// Text, item by item.

function* textPieces(item: Item, file: Dump, format: Format, output: Output): Generator<string> {
  const words = [headline(item, output)]
  for (const field of item.fields) {
    if (field.isDetail) continue
    if (field.value === undefined && format.values && !output.isTerminal) continue
    words.push(`${field.name}=${shownValue(field, format)}`)
  }
  if (item.damage) words.push(escapeText(item.damage.reason), `(${item.damage.code})`)
  if (output.isTerminal) yield wrapWords(words, output.columns, GAP)
  else yield words.join(GAP)
  for (const field of item.fields) {
    if (field.value !== undefined || !format.values) continue
    yield output.isTerminal ? '\n  ' : '  '
    yield `${field.name}=`
    const bytes = file.read(field.offset, field.length)
    yield* format.hex ? encodedPieces(bytes, 'hex') : escapedPieces(bytes)
  }
  yield '\n'
}

function headline(item: Item, output: Output): string {
  const offset = padText(String(item.offset), OFFSET_COLUMNS, 'right')
  const what = item.damage ? output.style('red', 'DAMAGE') : output.style('bold', item.what)
  const end = item.offset + item.length
  return `${offset}  ${what}${item.damage && item.length > 0 ? `  to=${end}` : ''}`
}

/** A value as a word; of bytes that are not shown, how many they are. */
function shownValue({ value, length }: Field, { hex }: Pick<Format, 'hex'>): string {
  if (value === undefined) return `(${length} bytes)`
  if (value instanceof Uint8Array) {
    return hex ? Buffer.from(value).toString('hex') : `"${escapeBytes(value)}"`
  }
  return escapeText(String(value))
}

// Byte by byte.

function* annotatedPieces(
  item: Item,
  file: Dump,
  format: Format,
  output: Output,
): Generator<string> {
  const { columns } = output
  const perRow = columns < 60 ? 4 : columns < 110 ? 8 : 16
  const left = Math.max(8, columns - OFFSET_COLUMNS - 4 - (perRow * 3 - 1))
  if (item.damage) {
    const words = [headline(item, output), escapeText(item.damage.reason), `(${item.damage.code})`]
    yield `${wrapWords(words, columns, GAP)}\n`
    return
  }
  yield `${headline(item, output)}\n`
  for (const field of item.fields) {
    const isHidden = field.value === undefined && !format.values
    const shown = field.value === undefined && format.values ? '' : shownValue(field, format)
    const bytes = isHidden ? new Uint8Array(0) : file.read(field.offset, field.length)
    // Not twice on one line.
    const isSaid = field.value === Buffer.from(bytes).toString('hex')
    const texts = chunks(isSaid ? field.name : `${field.name} ${shown}`.trimEnd(), left)
    const rows = Math.max(Math.ceil(bytes.length / perRow), texts.length)
    for (let row = 0; row < rows; row++) {
      const part = bytes.subarray(row * perRow, (row + 1) * perRow)
      const hasOffset = part.length > 0 || (isHidden && row === 0)
      const offset = hasOffset ? String(field.offset + row * perRow) : ''
      const hex = isHidden && row === 0 ? '..' : hexRow(part)
      const cells = [
        padText(offset, OFFSET_COLUMNS, 'right'),
        padText(hex, perRow * 3 - 1, 'left'),
        texts[row] ?? '',
      ]
      yield `${cells.join(GAP).trimEnd()}\n`
    }
  }
}

function hexRow(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

/** A text in parts of a width. */
function chunks(text: string, columns: number): string[] {
  const parts: string[] = []
  for (let rest = text; rest !== ''; ) {
    const head = cutText(rest, columns)
    parts.push(head)
    rest = rest.slice(head.length)
  }
  return parts
}

// JSON.

function* jsonPieces(item: Item, file: Dump, format: Format): Generator<string> {
  const { what, offset, length, damage } = item
  yield toJson({ what, offset, length, ...damage }).slice(0, -1)
  if (!damage && format.annotate) {
    yield ',"parts":['
    for (const [index, field] of item.fields.entries()) {
      const { name } = field
      yield `${index > 0 ? ',' : ''}${toJson({ name, offset: field.offset, length: field.length }).slice(0, -1)}`
      if (field.value !== undefined || format.values) {
        yield ',"hex":"'
        yield* encodedPieces(file.read(field.offset, field.length), 'hex')
        yield '"'
      }
      if (typeof field.value === 'number' || typeof field.value === 'string') {
        yield `,"value":${toJson(field.value)}`
      }
      yield '}'
    }
    yield ']'
  } else if (!damage) {
    yield ',"fields":{'
    yield* fieldMembers(item, file, format)
    yield '}'
  }
  yield '}\n'
}

function* fieldMembers(item: Item, file: Dump, format: Format): Generator<string> {
  const shown = item.fields.filter(({ isDetail }) => !isDetail)
  const names = [...new Set(shown.map(({ name }) => name))]
  for (const [index, name] of names.entries()) {
    if (index > 0) yield ','
    const fields = shown.filter((field) => field.name === name)
    const [{ value, length, offset }] = fields as [Field]
    if (fields.length > 1) yield `${toJson(name)}:${toJson(fields.map((field) => field.value))}`
    else if (value instanceof Uint8Array) yield* jsonMember(name, value, format.hex)
    else if (value !== undefined) yield `${toJson(name)}:${toJson(value)}`
    else if (format.values) yield* jsonMember(name, file.read(offset, length), format.hex)
    else yield `${toJson(`${name}Bytes`)}:${length}`
  }
}
