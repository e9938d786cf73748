/**
 * What outlives a process in the fault-injecting file system: the disk (disk-model.ts) and the system's page
 * cache, which is what processes see.
 */
import type { FileStat, SystemIdentity } from '#dist/lib/base/files/file-system.js'
import { allocatedBytes, BLOCK_BYTES, Content } from './content.ts'
import { type DiskImage, DiskModel, type Operation, type Profile, ROOT } from './disk-model.ts'
import { type CallKind, isUnnamed } from './fault-calls.ts'

export const DIRECTORY_STAT: FileStat = {
  size: 0,
  allocated: 0,
  links: 2,
  blockBytes: BLOCK_BYTES,
}

export interface VisibleFile {
  readonly node: number
  readonly content: Content
  links: number
  openCount: number
  writesInFlight: number
}

/** What outlives a process: the disk and the system's page cache. */
export interface Disk {
  readonly base: DiskImage
  readonly model: DiskModel
  readonly log: Operation[]
  readonly files: Map<string, VisibleFile>
  readonly directories: Map<string, number>
  nextNode: number
  nextCall: number
}

export function loadDisk(base: DiskImage, profile: Profile | undefined): Disk {
  const model = new DiskModel(profile)
  const files = new Map<string, VisibleFile>()
  const directories = new Map<string, number>([['/', ROOT]])
  const nextNode = loadImage(base, model, (path, node, bytes) => {
    if (bytes === undefined) directories.set(path, node)
    else files.set(path, visibleFile(node, new Content(bytes, base.holes?.get(path))))
  })
  return { base, model, log: [], files, directories, nextNode, nextCall: 1 }
}

/** Bytes that the files take. */
export function usedBytes({ files }: Disk): number {
  let bytes = 0
  for (const { content } of files.values()) bytes += content.size - content.holes.bytes
  return bytes
}

/** What the files take that count, in whole blocks. */
export function allocatedOn({ files }: Disk, counts: (path: string) => boolean): number {
  let bytes = 0
  for (const [path, { content }] of files) {
    if (counts(path)) bytes += allocatedBytes(content.size, content.holes)
  }
  return bytes
}

export function visibleFile(node: number, content: Content): VisibleFile {
  return { node, content, links: 1, openCount: 0, writesInFlight: 0 }
}

/**
 * Builds the nodes of an image, all of it durable. The numbers of nodes follow from the image alone.
 * @param found gets every path; bytes are absent for directories
 * @returns the first free number
 */
export function loadImage(
  image: DiskImage,
  model: DiskModel,
  found?: (path: string, node: number, bytes: Uint8Array | undefined) => void,
): number {
  let next = ROOT + 1
  const nodes = new Map<string, number>([['/', ROOT]])
  const name = (path: string, node: number): void => {
    const slash = path.lastIndexOf('/')
    const parent = nodes.get(slash <= 0 ? '/' : path.slice(0, slash))!
    model.directory(parent).durable.set(path.slice(slash + 1), node)
  }
  for (const path of [...image.directories].sort()) {
    if (path === '/') continue
    const node = next++
    nodes.set(path, node)
    model.nodes.set(node, { kind: 'directory', durable: new Map(), pending: [] })
    name(path, node)
    found?.(path, node, undefined)
  }
  for (const [path, bytes] of image.files) {
    const node = next++
    const durable = new Content(bytes, image.holes?.get(path))
    model.nodes.set(node, { kind: 'file', durable, pending: [] })
    name(path, node)
    found?.(path, node, bytes)
  }
  return next
}

/**
 * Changes that are allowed after a failed sync, since nothing durable names the file: those of BALLAST and tables, and
 * the unlink of a file whose job is cut off before its bytes are durable (I4).
 */
export function isHarmless(disk: Disk, kind: CallKind, path: string): boolean {
  if (isUnnamed(path)) return true
  const file = disk.files.get(path)
  if (kind !== 'unlink' || file === undefined) return false
  const { durable, pending } = disk.model.file(file.node)
  return durable.size === 0 || pending.some((change) => change.kind === 'write')
}

/** What is wrong with a hole that is about to be made: it must be whole blocks of durable bytes, of one name. */
export function* punchFaults(
  disk: Disk,
  path: string,
  position: number,
  length: number,
): Generator<string> {
  const { node, content, links } = disk.files.get(path)!
  const end = position + length
  if (position % BLOCK_BYTES > 0 || length <= 0 || length % BLOCK_BYTES > 0)
    yield `punch of parts of blocks path=${path} position=${position} length=${length}`
  if (end > content.size) yield `punch past the end path=${path} end=${end}`
  if (links !== 1) yield `punch of a file with several names path=${path}`
  for (const change of disk.model.file(node).pending) {
    if (change.kind !== 'write' || change.position >= end) continue
    if (change.position + change.bytes.length <= position) continue
    yield `punch of bytes that are not durable path=${path} position=${position}`
    return
  }
}

export function joined(sources: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const source of sources) length += source.length
  const bytes = new Uint8Array(length)
  let at = 0
  for (const source of sources) {
    bytes.set(source, at)
    at += source.length
  }
  return bytes
}

/** Not a counted call of the file system: it is asked before each of the others. */
export function identityOf(disk: Disk, path: string): SystemIdentity | undefined {
  const file = disk.files.get(path)
  const node = disk.directories.get(path) ?? file?.node
  const size = file?.content.size ?? 0
  return node === undefined ? undefined : { id: String(node), stamp: '', size }
}

export function statOf(file: VisibleFile): FileStat {
  const { size, holes } = file.content
  const allocated = allocatedBytes(size, holes)
  return { size, allocated, links: file.links, blockBytes: BLOCK_BYTES }
}

/** What a process sees now, as if all of it were durable. */
export function visibleImage(disk: Disk): DiskImage {
  const files = new Map<string, Uint8Array>()
  const holes = new Map<string, readonly number[]>()
  for (const [path, { content }] of disk.files) {
    files.set(path, content.view())
    if (content.holes.bytes > 0) holes.set(path, content.holes.blocks)
  }
  return { directories: [...disk.directories.keys()], files, holes }
}
