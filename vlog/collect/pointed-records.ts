/**
 * Collects the records of victims that live by going through the entries of all tables that may point at them, instead
 * of the heads of all records: dead ones are never looked at.
 *
 * Nothing is known of a record but what the entry says. Whoever copies it proves all of it: key, sequence and lengths
 * are held against its head, and the head and the value against their checksums (record-copy.ts).
 */

import { BlockCache } from '../../lib/base/files/block-cache.ts'
import { FILE_HEADER_BYTES } from '../../lib/base/files/file-header.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { FileSystem } from '../../lib/base/files/file-system.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { keepUntilNext } from '../../lib/base/kept.ts'
import { RECORD_HEADER_BYTES, RECORD_KIND } from '../record.ts'
import type { RecordPointer } from '../record-pointer.ts'
import { RelocationReader } from '../relocation/relocation-reader.ts'
import type { Liveness } from './liveness.ts'
import { type CollectorPorts, readVictimHeader, type VictimFile, victimPath } from './victim.ts'
import { emptyVictimRecord } from './victim-page.ts'
import { VictimRecords } from './victim-records.ts'
import type { VictimInput } from './victim-walk.ts'

/** The cache has room for twice the bytes of all pages: for the objects around them ... */
const CACHE_PART = 2
/** ... and at least for so many, also where no victim is a relocation. */
const CACHE_BYTES_MIN = 1024 * 1024

/**
 * All live records of the victims, sorted. Yields the bytes that each slice read.
 * @throws CorruptionError if the header of a victim, the index of a relocation or a table is damaged, or a pointer
 * leads nowhere (I8); WISC_FORMAT_VERSION, IoError
 */
export function* collectPointed(
  input: VictimInput,
  visitPointers: Liveness['visitPointers'],
  ports: Pick<CollectorPorts, 'fileSystem'>,
): Generator<number, VictimRecords> {
  const records = new VictimRecords(input.files)
  const places = yield* Places.openSlices(records, input, ports)
  keepUntilNext('places of pointers', { places })
  try {
    const record = emptyVictimRecord()
    record.kind = RECORD_KIND.put
    yield* visitPointers(records, (pointer, from) => {
      record.keyBytes = pointer.keyBytes
      record.keyStart = pointer.keyStart
      record.keyEnd = pointer.keyEnd
      record.sequence = pointer.sequence
      record.segment = pointer.segment
      record.offset = pointer.offset
      record.length = pointer.length
      record.file = records.holderOf(pointer.segment)
      record.place = places.locate(record.file, pointer, from)
      records.addLive(record)
    })
    yield* records.sortSlices()
    return records
  } finally {
    places.close()
  }
}

/** Where in the victims the records lie that pointers name. */
class Places {
  readonly #records: VictimRecords
  /** Of the victim with each index; undefined for a segment, whose records lie where their pointers say. */
  readonly #relocations: readonly (RelocationReader | undefined)[]
  /** Holds the indexes of all relocations: each page is read once. */
  readonly #cache: BlockCache

  private constructor(
    records: VictimRecords,
    relocations: readonly (RelocationReader | undefined)[],
    cache: BlockCache,
  ) {
    this.#records = records
    this.#relocations = relocations
    this.#cache = cache
  }

  /** Proves the headers of all victims, and tells `records` which segments they hold. */
  static *openSlices(
    records: VictimRecords,
    input: VictimInput,
    { fileSystem }: Pick<CollectorPorts, 'fileSystem'>,
  ): Generator<number, Places> {
    const relocations: (RelocationReader | undefined)[] = []
    let indexBytes = 0
    let isOpen = false
    try {
      for (const [index, victim] of input.files.entries()) {
        const relocation = openVictim(victim, input, fileSystem)
        relocations.push(relocation)
        for (const { segment } of relocation?.parts ?? []) records.addSegment(segment, index)
        records.addSegment(victim.number, index)
        if (relocation) indexBytes += victim.length - relocation.recordsEnd
        yield FILE_HEADER_BYTES
      }
      isOpen = true
    } finally {
      if (!isOpen) for (const relocation of relocations) relocation?.close()
    }
    const cache = new BlockCache(Math.max(CACHE_PART * indexBytes, CACHE_BYTES_MIN))
    return new Places(records, relocations, cache)
  }

  /** @throws CorruptionError if the file has no such record, or it cannot have that length (I8) */
  locate(file: FileNumber, pointer: RecordPointer, from: string): number {
    const { segment, offset, length, keyStart, keyEnd } = pointer
    const { number, length: fileBytes } = this.#records.files[file]!
    const relocation = segment === number ? undefined : this.#relocations[file]
    const place = relocation?.locate(segment, offset, this.#cache) ?? offset
    const isInside = place >= 0 && place + length <= fileBytes
    if (!isInside || length < RECORD_HEADER_BYTES + keyEnd - keyStart) {
      throw this.#records.pointerError(segment, offset, from)
    }
    return place
  }

  close(): void {
    for (const relocation of this.#relocations) relocation?.close()
  }
}

/** @returns the open relocation, or undefined for a segment, whose header was proved */
function openVictim(
  victim: VictimFile,
  input: VictimInput,
  fileSystem: FileSystem,
): RelocationReader | undefined {
  const path = victimPath(input, victim)
  if (victim.kind === 'relocation') {
    const expected = { ...victim, databaseId: input.databaseId }
    return RelocationReader.open(fileSystem, path, segmentName(victim.number), expected)
  }
  const file = fileSystem.open(path, 'read')
  try {
    readVictimHeader(file, victim, input)
  } finally {
    file.close()
  }
  return undefined
}
