/**
 * The numbers that name things, each a type of its own: a file's cannot be handed over where a sequence is meant.
 *
 * They are branded softly: a plain number, such as one that was just read or counted, may become any of them, but none
 * may become another. So the compiler finds what is mixed up, and no line of code is spent on converting.
 */
declare const brand: unique symbol

type Id<Name extends string> = number & { readonly [brand]?: Name }

/** Of a write: one for each record, never used again, below 2^53. */
export type Sequence = Id<'sequence'>
/** Of a file of the store: all share one counter, from 1. */
export type FileNumber = Id<'file'>
/** Of a logical segment: what value pointers name. It is the number of the file in which its records were written. */
export type SegmentNumber = Id<'segment' | 'file'>
/** Of a file of the log, in log order: which place it has among them, from 1. It says nothing of the file's number. */
export type LogOrdinal = Id<'ordinal'>
/** Of a version, which is that of the edit that made it. */
export type VersionNumber = Id<'version'>

/** The largest file number: at one new file a millisecond that is seven weeks of writing 64 TB a day. */
export const FILE_NUMBER_MAX: number = 2 ** 32 - 1
/** Offsets and lengths inside files stay below this, so that 48 bits hold them. */
export const FILE_BYTES_MAX: number = 2 ** 48 - 1
/** The largest sequence. */
export const SEQUENCE_MAX: number = Number.MAX_SAFE_INTEGER
