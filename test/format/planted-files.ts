/** The files of a store that unknown parts are planted into, and what a planted part is. */
import { crc32 } from 'node:zlib'
import { openDump } from '#dist/lib/inspect/dump/dump.js'
import type { Item } from '#dist/lib/inspect/dump/items.js'
import type { DiskImage } from '../support/files/disk-model.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'

export type Half = 'ignore' | 'refuse'
/** Whoever may come across a place; `write` opens for writing, `collect` rewrites everything. */
export type ReaderName = 'write' | 'readOnly' | 'verify' | 'collect' | 'dump' | 'salvage' | 'second'

export interface Planted {
  readonly file: string
  /** Where an error says that it is. */
  readonly offset: number
  /** Values that are shorter for it. */
  readonly values?: ReadonlyMap<string, Buffer>
  /** Bytes that are copied with it, wherever it goes. */
  readonly marker?: Buffer
}

export interface UnknownPart {
  readonly name: string
  readonly halves: readonly Half[]
  /** Who cannot miss it; the others may. */
  readonly refusedBy: readonly ReaderName[]
  plant(files: Files, half: Half): Planted
}

export const ALL: readonly ReaderName[] = [
  'write',
  'readOnly',
  'verify',
  'collect',
  'dump',
  'salvage',
  'second',
]
export const BOTH: readonly Half[] = ['ignore', 'refuse']
export const MARKER: Buffer = Buffer.from('a note of a newer version')

/** The files of a store, to be changed. */
export class Files {
  readonly image: DiskImage
  readonly #bytes: Map<string, Buffer>

  constructor(image: DiskImage) {
    this.#bytes = new Map([...image.files].map(([path, bytes]) => [path, Buffer.from(bytes)]))
    this.image = { ...image, files: this.#bytes }
  }

  get names(): string[] {
    return [...this.#bytes.keys()].map((path) => path.slice(path.lastIndexOf('/') + 1)).sort()
  }

  get(name: string): Buffer {
    return this.#bytes.get(`/db/${name}`)!
  }

  set(name: string, bytes: Buffer): void {
    this.#bytes.set(`/db/${name}`, bytes)
  }

  items(name: string): Item[] {
    const dump = openDump(`/db/${name}`, { fileSystem: new FaultFileSystem({}, this.image) })
    try {
      return [...dump.items]
    } finally {
      dump.close()
    }
  }

  /** The first file of a kind; for a segment or relocation the one that holds the record of a key. */
  ofKind(kind: number, key?: string): string {
    const isIt = (name: string): boolean =>
      this.get(name)[10] === kind && (key === undefined || this.recordOf(name, key) !== undefined)
    return this.names.find((name) => name !== 'CURRENT' && name !== 'LOCK' && isIt(name))!
  }

  recordOf(name: string, key: string): Item | undefined {
    return this.items(name).find(
      ({ what, fields }) => what === 'record' && fieldOf(fields, 'key') === key,
    )
  }

  first(name: string, what: string): Item {
    return this.items(name).find((item) => item.what === what)!
  }
}

function fieldOf(fields: Item['fields'], name: string): string | undefined {
  const value = fields.find((field) => field.name === name)?.value
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined
}

export function seedOf(bytes: Buffer): number {
  return crc32(Buffer.concat([bytes.subarray(16, 32), bytes.subarray(48, 60)]))
}

export function sealHeader(bytes: Buffer): void {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
}

/** Flags of two bytes each at `at`; then the bytes get their checksum. */
export function setFlags(bytes: Buffer, at: number, half: Half): void {
  bytes.writeUInt16LE(0x4001, half === 'ignore' ? at : at + 2)
}
