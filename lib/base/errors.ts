/**
 * The errors of the store: one class, one code for each thing that a caller would do differently.
 *
 * The list of codes is a part of the public face. Messages are lower case, name the thing first and
 * put the variables last as `key=value`; the cause is set, never repeated in the text.
 *
 * It imports nothing: it is packed alone beside the bundle, so that a class of errors is one (scripts/bundle.mjs).
 */

/** What a caller can act on. docs/api.md says for each when it comes and what to do. */
export type WiscErrorCode =
  | 'WISC_NO_STORE' // nothing there (or something else is): check the path
  | 'WISC_EXISTS' // errorIfExists was set
  | 'WISC_INVALID_ARGUMENT' // fix the call
  | 'WISC_NOT_OPEN' // the store, iterator or snapshot is closed
  | 'WISC_LOCKED' // another writer has the directory
  | 'WISC_READ_ONLY' // opened with readOnly
  | 'WISC_CORRUPTION' // bytes are damaged: file, offset and reason say where
  | 'WISC_FORMAT_VERSION' // written by a newer or unknown version
  | 'WISC_IO' // the system refused; see operation, path and cause
  | 'WISC_STALE' // the files of a read-only view or of a plan are gone, or others: take a new one
  | 'WISC_DISK_FULL' // free space, then go on
  | 'WISC_SYNC_FAILED' // a sync failed: reopen the store
  | 'WISC_CONFLICT' // a condition did not hold, what a transaction had read was changed: read again, then decide
  | 'WISC_ABORTED' // the caller's AbortSignal fired
  | 'WISC_CODEC_UNAVAILABLE' // a value needs a codec that is not installed
  | 'WISC_INTERNAL' // a broken invariant: please report

export class WiscError extends Error {
  readonly code: WiscErrorCode

  constructor(code: WiscErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    // The platform calls an abort so, whoever reports it.
    this.name = code === 'WISC_ABORTED' ? 'AbortError' : 'WiscError'
    this.code = code
  }
}

/** Somebody was faster: a condition did not hold, or what a transaction had read was changed. Nothing was written. */
export class ConflictError extends WiscError {
  /** The first key of which it was noticed. */
  readonly key: Buffer

  /** @param what happened to the key */
  constructor(key: Uint8Array, what: string) {
    super('WISC_CONFLICT', `${what} key=${shownKey(key)}`)
    this.key = Buffer.from(key)
  }
}

/** Damaged bytes. `file` is a name inside the database directory, `offset` a byte in it. */
export class CorruptionError extends WiscError {
  readonly file: string
  readonly offset: number
  readonly reason: string

  constructor(file: string, offset: number, reason: string, options?: ErrorOptions) {
    super('WISC_CORRUPTION', `${reason} file=${file} offset=${offset}`, options)
    this.file = file
    this.offset = offset
    this.reason = reason
  }
}

/** A refused system call. `errno` is the system's name of the error, such as ENOENT. */
export class IoError extends WiscError {
  readonly operation: string
  readonly path: string
  readonly errno: string

  /** @param options its message says more than that the operation failed */
  constructor(
    operation: string,
    path: string,
    errno: string,
    options?: ErrorOptions & { readonly message?: string },
  ) {
    const full = errno === 'ENOSPC' || errno === 'EDQUOT'
    const text = options?.message ?? `${operation} failed`
    super(full ? 'WISC_DISK_FULL' : 'WISC_IO', `${text} path=${path} errno=${errno}`, options)
    this.operation = operation
    this.path = path
    this.errno = errno
  }
}

/** What a process has too little of for a while: descriptors, memory, threads. It says nothing of the file. */
const SHORTAGES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN'])

/** True for an {@link IoError} that comes of a shortage in the process or the system, and not of the file. */
export function isShortage(error: IoError): boolean {
  return SHORTAGES.has(error.errno)
}

/** True for an {@link IoError} that says that the file or directory is not there. */
export function isMissing(error: unknown): error is IoError {
  return error instanceof IoError && error.errno === 'ENOENT'
}

/**
 * True for an error of which nothing is lost or damaged: the system refused a call (no descriptor, no memory, no room,
 * an error of the disk), and may not refuse the next one.
 */
export function mayPass(error: WiscError): boolean {
  // A lost ground (ground.ts) does not come back.
  const isLost = error instanceof IoError && error.operation === 'check'
  return !isLost && (error.code === 'WISC_IO' || error.code === 'WISC_DISK_FULL')
}

/**
 * What this version does not know, and must not pass over: bytes that prove themselves, and mean something else than it
 * could tell. Whoever meets them stops, and changes nothing.
 */
export function newerVersion(
  file: string,
  offset: number,
  what: string,
  code: 'WISC_FORMAT_VERSION' | 'WISC_CODEC_UNAVAILABLE' = 'WISC_FORMAT_VERSION',
): WiscError {
  return new WiscError(code, `${what}: use the version that wrote it file=${file} offset=${offset}`)
}

/** True for an error of {@link newerVersion}. */
export function isNewerVersion(error: unknown): boolean {
  if (!(error instanceof WiscError)) return false
  return error.code === 'WISC_FORMAT_VERSION' || error.code === 'WISC_CODEC_UNAVAILABLE'
}

export function invalidArgument(message: string): WiscError {
  return new WiscError('WISC_INVALID_ARGUMENT', message)
}

/** Any thrown thing as a {@link WiscError}; what is none yet becomes WISC_INTERNAL with its cause. */
export function toWiscError(error: unknown): WiscError {
  if (error instanceof WiscError) return error
  return new WiscError('WISC_INTERNAL', 'unexpected error', { cause: error })
}

/**
 * A failed sync of a file or directory, as the error that stops the store: whatever the cause, the kernel may call the
 * lost pages clean from now on, so nobody tries again. One that could not begin, because what was to be synced could
 * not be opened, or is not the store's any more (ground.ts), has lost nothing: it stays the refused call that it is.
 */
export function syncFailed(path: string, cause: unknown): WiscError {
  if (cause instanceof WiscError && cause.code === 'WISC_SYNC_FAILED') return cause
  if (cause instanceof IoError && ['open', 'check'].includes(cause.operation)) return cause
  return new WiscError('WISC_SYNC_FAILED', `a sync failed, reopen the store path=${path}`, {
    cause: toWiscError(cause),
  })
}

/** A broken invariant is a bug of ours: the store stops rather than go on with wrong state. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new WiscError('WISC_INTERNAL', `broken invariant: ${message}`)
}

/** Whoever was told of the one need not be told of the other. */
export function isSameKind(left: WiscError, right: WiscError): boolean {
  const errno = (error: WiscError) => (error instanceof IoError ? error.errno : undefined)
  return left.code === right.code && errno(left) === errno(right)
}

const SHOWN_KEY_BYTES_MAX = 64

/** A key in a message. */
export function shownKey(key: Uint8Array): string {
  const text = Buffer.from(key.subarray(0, SHOWN_KEY_BYTES_MAX)).toString()
  return JSON.stringify(text) + (key.length > SHOWN_KEY_BYTES_MAX ? '...' : '')
}
