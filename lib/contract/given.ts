/** Words for messages about a value that a caller passed: its type, and how to make the wanted one of it. */
import { types } from 'node:util'

/** The type of a value, such as 'null', 'a number' or 'an ArrayBuffer'. Runs no code of the value. */
export function typeOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  const name = nameOf(value)
  return /^[AEIO]/.test(name) ? `an ${name}` : `a ${name}`
}

const NAMES: readonly (readonly [(value: unknown) => boolean, string])[] = [
  [types.isProxy, 'Proxy'],
  [Array.isArray, 'Array'],
  [types.isArrayBuffer, 'ArrayBuffer'],
  [types.isSharedArrayBuffer, 'SharedArrayBuffer'],
  [types.isDataView, 'DataView'],
  [types.isDate, 'Date'],
  [types.isPromise, 'Promise'],
  [types.isMap, 'Map'],
  [types.isSet, 'Set'],
  [types.isBoxedPrimitive, 'boxed primitive'],
]

/** Of an object. Asks for its kind, not for its constructor: that may be anything, and a getter. */
function nameOf(value: object): string {
  const found = NAMES.find(([is]) => is(value))
  if (found) return found[1]
  if (!types.isTypedArray(value)) return 'Object'
  const tag = Object.getOwnPropertyDescriptor(
    Object.getPrototypeOf(Uint8Array.prototype),
    Symbol.toStringTag,
  )
  return String(tag?.get?.call(value))
}

/** How to make bytes or a string of what was passed as one, or nothing. */
function bytesHint(value: unknown): string {
  switch (typeOf(value)) {
    case 'a number':
    case 'a bigint':
    case 'a boolean':
    case 'a boxed primitive':
      return ': String(...) makes a string of it'
    case 'an Object':
    case 'an Array':
      return ': JSON.stringify(...) makes a string of it'
    case 'a Date':
      return ': its toISOString() is a string'
    case 'a Promise':
      return ': await it'
    case 'an ArrayBuffer':
    case 'a SharedArrayBuffer':
      return ': Buffer.from(arrayBuffer) makes one of it'
    default:
      return ArrayBuffer.isView(value)
        ? ': Buffer.from(view.buffer, view.byteOffset, view.byteLength) makes one of it'
        : ''
  }
}

/** What is wrong with something of a wrong type. */
export function mustBe(what: string, name: string, value: unknown): string {
  return `${name} must be ${what}, not ${typeOf(value)}`
}

/** Why something is no key and no value. */
export function notBytes(name: string, value: unknown): string {
  return mustBe('a Uint8Array or a string', name, value) + bytesHint(value)
}

/** Why something is no piece of a stream: text is none, because nobody would know where a character ends. */
export function noPiece(name: string, value: unknown): string {
  const isMemory = ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)
  const hint = typeof value === 'string' ? ': Buffer.from(text) makes one of it' : ''
  return mustBe('a Uint8Array', name, value) + (isMemory ? bytesHint(value) : hint)
}

/** The value itself where that is short and safe, else its type. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  return typeof value === 'number' ? String(value) : typeOf(value)
}
