/**
 * CURRENT: names the live manifest. One small text, replaced as a whole by a rename.
 *
 *   wisc 2
 *   manifest MANIFEST-000012
 *   database 00112233445566778899aabbccddeeff
 *   checksum 3b8b9612
 *
 * Lines, each ended by one line feed; the checksum is the CRC-32 of all bytes before its line. In front of it may lie
 * lines of newer versions: one that begins with "may " is ignored (and lost with the next CURRENT), one that begins
 * with "must " is refused.
 * It is written to CURRENT.tmp, synced, renamed, and the directory is synced (I4: the manifest that
 * it names is durable before). A CURRENT.tmp that a crash left is harmless: it is unlinked by the
 * next writer.
 */
import { hex32 } from '../../base/bytes.ts'
import { crc32From } from '../../base/checksum.ts'
import { CorruptionError, newerVersion, syncFailed } from '../../base/errors.ts'
import { FORMAT_VERSION } from '../../base/files/file-header.ts'
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  joinPath,
  manifestName,
  parseFileName,
} from '../../base/files/file-names.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import { CURRENT_BYTES_MAX } from '../../base/files/ground.ts'
import { clearName } from '../../base/files/unlink.ts'
import type { FileNumber } from '../../base/ids.ts'

const CURRENT_TEXT =
  /^wisc \d+\nmanifest (MANIFEST-\d+)\ndatabase ([0-9a-f]{32})\n((?:(?:may|must) [!-~][ -~]*\n)*)$/
const CHECKSUM_LINE_BYTES = 'checksum 00000000\n'.length

export interface Current {
  readonly manifestNumber: FileNumber
  readonly databaseId: Uint8Array
}

function encodeCurrent(current: Current): Uint8Array {
  const id = Buffer.from(current.databaseId).toString('hex')
  const name = manifestName(current.manifestNumber)
  const text = `wisc ${FORMAT_VERSION}\nmanifest ${name}\ndatabase ${id}\n`
  return Buffer.from(`${text}checksum ${hex32(crc32From(0, Buffer.from(text)))}\n`)
}

function decodeCurrent(bytes: Uint8Array): Current {
  const bodyEnd = bytes.length - CHECKSUM_LINE_BYTES
  const body = Buffer.from(bytes.subarray(0, Math.max(0, bodyEnd)))
  const line = Buffer.from(bytes.subarray(Math.max(0, bodyEnd))).toString('latin1')
  if (line !== `checksum ${hex32(crc32From(0, body))}\n`) {
    throw new CorruptionError(CURRENT_NAME, Math.max(0, bodyEnd), 'CURRENT fails its checksum')
  }
  const text = body.toString('latin1')
  const version = /^wisc (\d{1,9})\n/.exec(text)?.[1]
  if (version !== undefined && Number(version) !== FORMAT_VERSION) {
    throw newerVersion(CURRENT_NAME, 0, `database is of another format, version=${version}`)
  }
  const match = CURRENT_TEXT.exec(text)
  const name = match && parseFileName(match[1]!)
  const must = /^must .*/m.exec(match?.[3] ?? '')
  if (must) {
    const what = `database needs what this version does not know, line=${JSON.stringify(must[0])}`
    throw newerVersion(CURRENT_NAME, text.indexOf(`\n${must[0]}`) + 1, what)
  }
  if (!match || !name) throw new CorruptionError(CURRENT_NAME, 0, 'CURRENT is malformed')
  return { manifestNumber: name.number, databaseId: new Uint8Array(Buffer.from(match[2]!, 'hex')) }
}

/**
 * What CURRENT says, or undefined if there is none.
 * @throws CorruptionError, WISC_FORMAT_VERSION, or IoError
 */
export function readCurrent(fileSystem: FileSystem, directory: string): Current | undefined {
  const path = joinPath(directory, CURRENT_NAME)
  if (fileSystem.statPath(path) === undefined) return undefined
  const file = fileSystem.open(path, 'read')
  try {
    const bytes = new Uint8Array(CURRENT_BYTES_MAX)
    return decodeCurrent(bytes.subarray(0, file.read(bytes, 0, CURRENT_BYTES_MAX, 0)))
  } finally {
    file.close()
  }
}

/**
 * Makes CURRENT name another manifest, durably.
 * @param ready called when all is written, right before the rename: up to then CURRENT names what it did
 * @throws WISC_SYNC_FAILED if a sync fails; then, or if the rename fails, either manifest may be
 *   named after a crash
 */
export async function writeCurrent(
  fileSystem: FileSystem,
  directory: string,
  current: Current,
  ready: () => void = () => {},
): Promise<void> {
  const temporary = joinPath(directory, CURRENT_TEMPORARY_NAME)
  clearName(fileSystem, directory, CURRENT_TEMPORARY_NAME)
  const bytes = encodeCurrent(current)
  const file = fileSystem.open(temporary, 'create')
  try {
    file.write(bytes, 0, bytes.length, 0)
    try {
      await file.dataSyncAsync()
    } catch (error) {
      throw syncFailed(CURRENT_TEMPORARY_NAME, error)
    }
  } finally {
    file.close()
  }
  ready()
  fileSystem.rename(temporary, joinPath(directory, CURRENT_NAME))
  try {
    await fileSystem.syncDirectoryAsync(directory)
  } catch (error) {
    throw syncFailed(directory, error)
  }
}
