/**
 * Collects the records of victims that live by going through the entries of all tables that may point at them, instead
 * of the heads of all records: dead ones are never looked at.
 *
 * Nothing is known of a record but what the entry says. Whoever copies it proves all of it: key, sequence and lengths
 * are held against its head, and the head and the value against their checksums (record-copy.ts).
 */
import { BlockCache } from '../lib/base/block-cache.ts'
import { segmentName } from '../lib/base/file-names.ts'
import type { FileSystem } from '../lib/base/file-system.ts'
import type { Liveness, Pointer } from './liveness.ts'
import { RECORD_KIND } from './record.ts'
import { RelocationReader } from './relocation-reader.ts'
import { type CollectorPorts, readVictimHeader, type ValueLogFile, victimPath } from './victim.ts'
import { emptyVictimRecord, VictimRecords } from './victim-records.ts'
import type { VictimInput } from './victim-walk.ts'

/** What the cache takes for the pages of an index, objects included, and more than nothing for none. */
const CACHE_PART = 2
const CACHE_BYTES_MIN = 1024 * 1024

/**
 * All live records of the victims, sorted. Yields the bytes that each step read.
 * @throws CorruptionError if the header of a victim, the index of a relocation or a table is damaged, or a pointer
 * leads nowhere (I8); WISC_FORMAT_VERSION, IoError
 */
export function* collectPointed(
  input: VictimInput,
  visitLive: Liveness['visitLive'],
  ports: Pick<CollectorPorts, 'fileSystem'>,
): Generator<number, VictimRecords> {
  const records = new VictimRecords(input.files)
  const places = new Places(records)
  try {
    places.open(input, ports)
    const record = emptyVictimRecord()
    record.kind = RECORD_KIND.put
    yield* visitLive(records, (pointer, from) => {
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
    yield* records.sortSteps()
    return records
  } finally {
    places.close()
  }
}

/** Where in the victims the records lie that pointers name. */
class Places {
  readonly #records: VictimRecords
  /** Of the victim with each index; undefined for a segment, whose records lie where their pointers say. */
  readonly #relocations: (RelocationReader | undefined)[] = []
  /** Holds the indexes of all relocations: each page is read once. */
  #cache: BlockCache = new BlockCache(0)

  constructor(records: VictimRecords) {
    this.#records = records
  }

  open(input: VictimInput, { fileSystem }: Pick<CollectorPorts, 'fileSystem'>): void {
    let indexBytes = 0
    for (const [index, victim] of input.files.entries()) {
      const reader = this.#openOne(index, victim, input, fileSystem)
      if (reader) indexBytes += victim.length - reader.recordsEnd
    }
    this.#cache = new BlockCache(Math.max(CACHE_PART * indexBytes, CACHE_BYTES_MIN))
  }

  #openOne(
    index: number,
    victim: ValueLogFile,
    input: VictimInput,
    fileSystem: FileSystem,
  ): RelocationReader | undefined {
    const path = victimPath(input, victim)
    if (victim.kind === 'relocation') {
      const name = segmentName(victim.number)
      const expected = { ...victim, databaseId: input.databaseId }
      const reader = RelocationReader.open(fileSystem, path, name, expected)
      this.#relocations[index] = reader
      for (const { segment } of reader.parts) this.#records.addSegment(segment, index)
      return reader
    }
    const file = fileSystem.open(path, 'read')
    try {
      readVictimHeader(file, victim, input)
    } finally {
      file.close()
    }
    this.#relocations[index] = undefined
    this.#records.addSegment(victim.number, index)
    return undefined
  }

  /** @throws CorruptionError if a relocation has no such record (I8) */
  locate(file: number, { segment, offset }: Pointer, from: string): number {
    const place = this.#relocations[file]?.locate(segment, offset, this.#cache) ?? offset
    if (place < 0) throw this.#records.pointerError(segment, offset, from)
    return place
  }

  close(): void {
    for (const relocation of this.#relocations) relocation?.close()
  }
}
