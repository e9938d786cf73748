/**
 * What the stress program stores: values that prove themselves, so that any process can tell right from wrong.
 *
 *   "group/member#version#length|" and then bytes that follow from these; no byte of them is zero, as a hole's are
 *
 * Keys come in groups: all members of a group are written by one batch, with one version. Whether a version is a
 * delete, and how long its values are, follows from the group and the version alone.
 */

/** Groups in all, and their sizes: most are single keys. */
export const GROUPS = 160
const MEMBERS = [1, 1, 3, 1, 6] as const

const PATTERN_BYTES = 1 << 16
const PATTERN = makePattern()

function makePattern(): Buffer {
  const bytes = Buffer.allocUnsafe(2 * PATTERN_BYTES)
  let state = 0x9e3779b9
  for (let i = 0; i < PATTERN_BYTES; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    // Of four bits each, so that compression has something to do.
    bytes[i] = 1 + ((state >>> 16) & 15)
  }
  bytes.copy(bytes, PATTERN_BYTES, 0, PATTERN_BYTES)
  return bytes
}

/** A number that follows from two others. */
function mix(left: number, right: number): number {
  let t = (Math.imul(left + 0x6d2b79f5, 0x85ebca6b) ^ Math.imul(right + 1, 0xc2b2ae35)) >>> 0
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return (t ^ (t >>> 14)) >>> 0
}

export function membersOf(group: number): number {
  return MEMBERS[group % MEMBERS.length]!
}

/** Some keys are long, with equal first bytes. */
export function keyOf(group: number, member: number): string {
  const padding = group % 16 === 7 ? `/${'long'.repeat(175)}/` : '/'
  return `${String(group).padStart(4, '0')}${padding}${member}`
}

export function keysOf(group: number): string[] {
  return Array.from({ length: membersOf(group) }, (_, member) => keyOf(group, member))
}

/** @returns group and member, or undefined for a key that is none of ours */
export function parseKey(key: string): { group: number; member: number } | undefined {
  const group = Number(key.slice(0, 4))
  const member = Number(key.slice(key.lastIndexOf('/') + 1))
  return keyOf(group, member) === key ? { group, member } : undefined
}

/** Version 0 is before the first write. */
export function isDelete(group: number, version: number): boolean {
  return version === 0 || mix(group, version) % 7 === 0
}

function lengthOf(group: number, member: number, version: number): number {
  const draw = mix(mix(group, member), version)
  const size = (draw >>> 8) & 0xffff
  switch (draw & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return 40 + (size % 200)
    case 5:
    case 6:
    case 7:
      return 900 + (size % 300)
    case 8:
    case 9:
    case 10:
      return 3000 + (size % 6000)
    case 11:
    case 12:
    case 13:
      return 20_000
    case 14:
      return 60_000 + (size % 12_000)
    default:
      return 100_000 + size
  }
}

/** A fresh buffer. */
export function makeValue(group: number, member: number, version: number): Buffer {
  const length = lengthOf(group, member, version)
  const head = Buffer.from(`${group}/${member}#${version}#${length}|`)
  const value = Buffer.allocUnsafeSlow(length)
  head.copy(value)
  let from = mix(mix(version, member), group) % PATTERN_BYTES
  for (let at = Math.min(head.length, length); at < length; ) {
    const copied = PATTERN.copy(value, at, from, Math.min(from + (length - at), PATTERN.length))
    at += copied
    from = 0
  }
  return value
}

/** @returns the version that a value was written with. @throws if it is not, byte by byte, a value of this key */
export function versionIn(group: number, member: number, value: Uint8Array): number {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const head = /^(\d+)\/(\d+)#(\d+)#(\d+)\|/.exec(bytes.toString('latin1', 0, 40))
  const version = Number(head?.[3])
  const isRight =
    head !== null &&
    Number(head[1]) === group &&
    Number(head[2]) === member &&
    makeValue(group, member, version).equals(bytes)
  if (isRight) return version
  const expected = head ? `looks like ${head[0]}` : `begins with ${bytes.toString('hex', 0, 24)}`
  throw new Error(`wrong value of ${group}/${member}: ${bytes.length} bytes, ${expected}`)
}
