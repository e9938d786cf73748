/**
 * Sizes of records of the value log, as far as a pointer tells them: the tree counts the bytes of the values
 * that it points to without reading a record. The record itself is vlog/record.ts.
 */

export const RECORD_HEADER_BYTES = 40
/** Where a header says how many bytes of optional fields follow it. */
export const OPTION_BYTES_AT = 15
export const OPTION_BYTES_MAX = 255
/** Of the option that says when a record expires: its length, and a moment. */
export const EXPIRY_OPTION_BYTES = 9
/** Each chunk of a value has a checksum of its own, so that a part can be read and still be verified. */
export const VALUE_CHUNK_BYTES = 65536

/**
 * Bytes of the value, as it is stored with its table, of a record of `recordLength` bytes with a key of `keyLength`: a
 * pointer names the whole record. Negative if no such record is so short.
 * Optional fields of the record count as bytes of the value: whoever cuts the value out of a record asks its header.
 */
export function storedLengthOf(recordLength: number, keyLength: number): number {
  return recordLength - RECORD_HEADER_BYTES - keyLength
}

/**
 * Bytes of a value of up to 32 MiB as it was given, which is stored without a codec in so many: the table of its chunks
 * takes 8 bytes, and 8 for each of them.
 */
export function plainBytes(storedLength: number): number {
  if (storedLength <= VALUE_CHUNK_BYTES) return storedLength
  return storedLength - 8 - 8 * Math.ceil((storedLength - 8) / (VALUE_CHUNK_BYTES + 8))
}
