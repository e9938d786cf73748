/** The values that a salvage has found, read at their places and proved. */
import { proveRecord, readRecordHeader, recordValue } from '../../../vlog/record.ts'
import { compareBytes } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import { joinPath } from '../../base/files/file-names.ts'
import type { File, FileSystem } from '../../base/files/file-system.ts'
import type { Sequence } from '../../base/ids.ts'
import { readRange } from '../dump/dump-context.ts'
import { hasZeroBlock } from '../dump/value-state.ts'
import { damageOf, type FileDamage } from './salvage-files.ts'
import type { ValuePlace } from './salvage-map.ts'

const OPEN_FILES_MAX = 64

/** Why a value cannot be had that is a hole. */
export const HOLE = 'blocks of its value are empty'

export class SalvagedValues {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #damage: FileDamage[]
  readonly #open: Map<string, File> = new Map()

  /** @param damage takes what is found wrong */
  constructor(fileSystem: FileSystem, directory: string, damage: FileDamage[]) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#damage = damage
  }

  /** Bytes of a file, as many as there are. @throws IoError */
  bytes(file: string, offset: number, length: number): Uint8Array {
    return readRange(this.#fileOf(file), offset, length)
  }

  /** One that is no stream. @returns the value, or why it cannot be had */
  read(place: ValuePlace, key: Buffer, sequence: Sequence): Uint8Array | string {
    const { file: name, offset, length } = place
    try {
      const bytes = this.bytes(name, offset, length)
      if (bytes.length < length) return `${name} ends before it`
      if (place.kind === 'inline') {
        return checksum(bytes) === place.checksum ? bytes : `its bytes in ${name} have changed`
      }
      const header = readRecordHeader(bytes, 0, length)
      const keyStart = header ? header.headBytes - header.keyLength : 0
      const isSame =
        header?.length === length &&
        header.sequence === sequence &&
        compareBytes(bytes.subarray(keyStart, header.headBytes), key) === 0
      if (!isSame) return `its record in ${name} has changed`
      const wrong = proveRecord(bytes, 0, header)
      const { buffer, byteOffset } = bytes
      if (wrong === undefined)
        return recordValue(Buffer.from(buffer, byteOffset, length), 0, header)
      const valueAt = offset + header.headBytes
      if (hasZeroBlock(bytes.subarray(header.headBytes), valueAt)) return HOLE
      const end = offset + length
      this.#damage.push({ file: name, offset: valueAt, end, reason: wrong })
      return `${wrong} in ${name}`
    } catch (error) {
      return damageOf(name, error).reason
    }
  }

  close(): void {
    for (const file of this.#open.values()) file.close()
    this.#open.clear()
  }

  #fileOf(name: string): File {
    let file = this.#open.get(name)
    if (file === undefined) {
      if (this.#open.size >= OPEN_FILES_MAX) this.close()
      file = this.#fileSystem.open(joinPath(this.#directory, name), 'read')
      this.#open.set(name, file)
    }
    return file
  }
}
