/**
 * What outlives a process in the fault-injecting file system: the disk (disk-model.ts) and the system's page
 * cache, which is what processes see.
 */
import type { FileStat } from '#dist/lib/base/file-system.js'
import {
  Content,
  type DiskImage,
  DiskModel,
  type Operation,
  type Profile,
  ROOT,
} from './disk-model.ts'

const BLOCK_BYTES = 4096

export interface VisibleFile {
  readonly node: number
  readonly content: Content
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
    else files.set(path, { node, content: new Content(bytes), openCount: 0, writesInFlight: 0 })
  })
  return { base, model, log: [], files, directories, nextNode, nextCall: 1 }
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
    model.nodes.set(node, { kind: 'file', durable: new Content(bytes), pending: [] })
    name(path, node)
    found?.(path, node, bytes)
  }
  return next
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

export function statOf(file: VisibleFile): FileStat {
  const size = file.content.size
  return { size, allocated: Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES }
}
