/**
 * Collects the records of victims that live by going through the entries of all tables that may point at them, instead
 * of the heads of all records: dead ones are never looked at.
 *
 * Nothing is known of a record but what the entry says. Whoever copies it proves all of it: key, sequence and lengths
 * are held against its head, and the head and the value against their checksums (record-copy.ts).
 */
import { BlockCache } from '../lib/base/block-cache.ts'
import { segmentName } from '../lib/base/file-names.ts'
import type { Liveness, Pointer } from './liveness.ts'
import { RECORD_KIND } from './record.ts'
import { RelocationReader } from './relocation-reader.ts'
import { type CollectorPorts, readVictimHeader, type ValueLogFile, victimPath } from './victim.ts'
import { emptyVictimRecord, VictimRecords } from './victim-records.ts'
import type { VictimInput } from './victim-walk.ts'

/** Pages of the indexes of relocations. */
const CACHE_BYTES = 4 * 1024 * 1024

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
    for (const [index, victim] of input.files.entries()) places.open(index, victim, input, ports)
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
  readonly #cache: BlockCache = new BlockCache(CACHE_BYTES)

  constructor(records: VictimRecords) {
    this.#records = records
  }

  open(
    index: number,
    victim: ValueLogFile,
    input: VictimInput,
    { fileSystem }: Pick<CollectorPorts, 'fileSystem'>,
  ): void {
    const path = victimPath(input, victim)
    if (victim.kind === 'relocation') {
      const name = segmentName(victim.number)
      const expected = { ...victim, databaseId: input.databaseId }
      const reader = RelocationReader.open(fileSystem, path, name, expected)
      this.#relocations[index] = reader
      for (const { segment } of reader.parts) this.#records.addSegment(segment, index)
      return
    }
    this.#relocations[index] = undefined
    const file = fileSystem.open(path, 'read')
    try {
      readVictimHeader(file, victim, input)
    } finally {
      file.close()
    }
    this.#records.addSegment(victim.number, index)
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
