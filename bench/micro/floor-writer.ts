/**
 * The writer of floor.ts, and what it knows: which file each key's value lies in, what has died where, and how much is
 * used. It writes in the calling thread, and gives jobs to a worker (floor-worker.ts).
 */
import fs from 'node:fs'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { checksum } from '../../lib/base/checksum.ts'
import type { DataSet } from '../harness/data-set.ts'
import type { FloorJob, FloorResult } from './floor-worker.ts'

const MIB = 1024 * 1024
const FILE_BYTES = 64 * MIB
const GROUP_BYTES = MIB
/** Smaller values are copied together before they are written. */
const GATHERED_BYTES = 16 * 1024
const UNSYNCED_FILES_MAX = 7
/** For holes: what newer values replace is durable after each so many bytes. */
const SYNC_BYTES = 16 * MIB

const dataSync = promisify(fs.fdatasync)

export type Way = 'off' | FloorJob['kind']

interface FloorFile {
  readonly number: number
  readonly descriptor: number
  /** The key in each slot. */
  readonly keys: Int32Array<SharedArrayBuffer>
  filled: number
  live: number
  /** On disk. */
  bytes: number
  isSynced: boolean
}

export class FloorWriter {
  readonly #directory: string
  readonly #data: DataSet
  readonly #way: Way
  readonly #boundBytes: number
  /** Copies begin above it: a file below the bound. */
  readonly #startBytes: number
  readonly #slots: number
  readonly #files: Map<number, FloorFile> = new Map()
  /** Of each key: file x slots + slot; -1 at first. */
  readonly #places: Int32Array<SharedArrayBuffer>
  readonly #worker: Worker
  #active: FloorFile
  #usedBytes = 0
  /** The job that runs. */
  #job: FloorJob | undefined
  /** Places of dead values: not durable yet, and by file what may be punched. */
  #dying: number[] = []
  readonly #dead: Map<number, number[]> = new Map()
  /** Written since the last sync for holes began. */
  #unsyncedBytes = 0
  #syncing: Promise<void> = Promise.resolve()
  #isSyncing = false
  #unsyncedFiles = 0
  #numbers = 0
  #wake: () => void = () => {}
  #failure: Error | undefined
  writtenBytes = 0

  constructor(directory: string, data: DataSet, way: Way, target: number) {
    this.#directory = directory
    this.#data = data
    this.#way = way
    const boundBytes = target * data.entries * data.valueBytes + 2 * FILE_BYTES
    this.#boundBytes = way === 'off' ? Number.POSITIVE_INFINITY : boundBytes
    this.#startBytes = boundBytes - FILE_BYTES - 2 * GROUP_BYTES
    this.#slots = FILE_BYTES / data.valueBytes
    this.#places = new Int32Array(new SharedArrayBuffer(4 * data.entries)).fill(-1)
    this.#active = this.#begin()
    const workerData = {
      places: this.#places,
      slots: this.#slots,
      valueBytes: data.valueBytes,
      directory,
    }
    this.#worker = new Worker(new URL('./floor-worker.js', import.meta.url), { workerData })
    this.#worker.on('message', (result: FloorResult) => this.#ended(result))
    this.#worker.on('error', (error) => this.#fail(error))
  }

  #begin(): FloorFile {
    const number = this.#numbers++
    const descriptor = fs.openSync(path.join(this.#directory, String(number)), 'wx+')
    return this.#add(number, descriptor, this.#slots)
  }

  #add(number: number, descriptor: number, slots: number): FloorFile {
    const keys = new Int32Array(new SharedArrayBuffer(4 * slots))
    const file = { number, descriptor, keys, filled: 0, live: 0, bytes: 0, isSynced: false }
    this.#files.set(number, file)
    return file
  }

  /** Puts values of so many keys. @param generationOf of the i-th put */
  async put(
    count: number,
    next: () => number,
    generationOf: (put: number) => number,
  ): Promise<void> {
    const { valueBytes } = this.#data
    const perGroup = Math.max(1, GROUP_BYTES / valueBytes)
    const staging = Buffer.alloc(GROUP_BYTES)
    for (let done = 0; done < count; ) {
      while (this.#mustWait()) await this.#changed()
      if (this.#failure) throw this.#failure
      const file = this.#active
      const size = Math.min(perGroup, count - done, this.#slots - file.filled)
      const keys: number[] = []
      const values: Buffer[] = []
      for (let i = 0; i < size; i++) {
        const key = next()
        const value = this.#data.value(key, generationOf(done + i))
        checksum(value)
        keys.push(key)
        values.push(value)
      }
      this.#write(file, values, staging)
      for (const key of keys) this.#place(key, file, file.filled++)
      done += size
      this.#usedBytes += size * valueBytes
      this.writtenBytes += size * valueBytes
      this.#unsyncedBytes += size * valueBytes
      file.bytes += size * valueBytes
      if (file.filled === this.#slots) this.#rotate()
      else if (this.#way === 'punch' && this.#unsyncedBytes >= SYNC_BYTES) this.#syncActive()
      this.#work()
      await turn()
    }
  }

  #write(file: FloorFile, values: readonly Buffer[], staging: Buffer): void {
    const { valueBytes } = this.#data
    const at = file.filled * valueBytes
    if (valueBytes >= GATHERED_BYTES) fs.writevSync(file.descriptor, values, at)
    else {
      for (const [i, value] of values.entries()) value.copy(staging, i * valueBytes)
      fs.writeSync(file.descriptor, staging, 0, values.length * valueBytes, at)
    }
  }

  #place(key: number, file: FloorFile, slot: number): void {
    const before = this.#places[key]!
    if (before >= 0) {
      this.#files.get(Math.floor(before / this.#slots))!.live--
      if (this.#way === 'punch') this.#dying.push(before)
    }
    this.#places[key] = file.number * this.#slots + slot
    file.keys[slot] = key
    file.live++
  }

  /** A writer leaves room for the copies of the next victim. */
  #mustWait(): boolean {
    if (this.#failure) return false
    const victim = this.#way === 'copy' && !this.#job ? this.#victim() : undefined
    const kept = victim ? victim.live * this.#data.valueBytes : 0
    const isOver = this.#usedBytes + kept + GROUP_BYTES > this.#boundBytes
    return isOver || this.#unsyncedFiles > UNSYNCED_FILES_MAX
  }

  async #changed(): Promise<void> {
    // What died may be what is missing.
    if (this.#way === 'punch' && !this.#isSyncing) this.#syncActive()
    this.#work()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  #rotate(): void {
    const full = this.#active
    this.#unsyncedFiles++
    this.#syncing = this.#syncing.then(async () => {
      await this.#sync(full)
      full.isSynced = true
      this.#unsyncedFiles--
      this.#work()
      this.#wake()
    })
    this.#syncing.catch((error: Error) => this.#fail(error))
    this.#active = this.#begin()
  }

  #syncActive(): void {
    if (this.#isSyncing) return
    this.#isSyncing = true
    this.#syncing = this.#syncing.then(async () => {
      await this.#sync(this.#active)
      this.#isSyncing = false
      this.#work()
      this.#wake()
    })
    this.#syncing.catch((error: Error) => this.#fail(error))
  }

  /** Files are synced in their order, so all that was written before is durable then. */
  async #sync(file: FloorFile): Promise<void> {
    const isLast = file === this.#active
    const dying = isLast ? this.#dying : []
    if (isLast) {
      this.#dying = []
      this.#unsyncedBytes = 0
    }
    await dataSync(file.descriptor)
    for (const place of dying) {
      const number = Math.floor(place / this.#slots)
      const places = this.#dead.get(number)
      if (places) places.push(place)
      else this.#dead.set(number, [place])
    }
  }

  /** Drops what is dead as a whole, and begins the next job if none runs. */
  #work(): void {
    if (this.#way === 'off') return
    for (const file of this.#files.values()) {
      const isFree = file.isSynced && file.number !== this.#job?.file
      if (file.live === 0 && isFree) this.#drop(file)
    }
    if (this.#job) return
    this.#job = this.#way === 'punch' ? this.#nextPunch() : this.#nextCopy()
    if (this.#job) this.#worker.postMessage(this.#job)
  }

  #drop(file: FloorFile): void {
    this.#files.delete(file.number)
    this.#dead.delete(file.number)
    fs.close(file.descriptor, () =>
      fs.unlink(path.join(this.#directory, String(file.number)), (error) => {
        if (error) this.#fail(error)
        this.#usedBytes -= file.bytes
        this.#work()
        this.#wake()
      }),
    )
  }

  /** Of the file with the most new dead ones. */
  #nextPunch(): FloorJob | undefined {
    let best: [number, number[]] | undefined
    for (const entry of this.#dead) {
      const isBetter = entry[1].length > (best?.[1].length ?? 0)
      if (isBetter && this.#files.get(entry[0])?.isSynced) best = entry
    }
    if (best === undefined) return undefined
    const [file, places] = best
    this.#dead.delete(file)
    return { kind: 'punch', file, slots: places.map((place) => place % this.#slots) }
  }

  #nextCopy(): FloorJob | undefined {
    if (this.#way !== 'copy' || this.#usedBytes <= this.#startBytes) return undefined
    const victim = this.#victim()
    const outputBytes = (victim?.live ?? 0) * this.#data.valueBytes
    if (!victim) return undefined
    this.#usedBytes += outputBytes
    const { number: file, keys, filled } = victim
    return {
      kind: 'copy',
      file,
      keys: keys.subarray(0, filled),
      output: this.#numbers++,
      outputBytes,
    }
  }

  /** The one of which the least share lives. */
  #victim(): FloorFile | undefined {
    let best: FloorFile | undefined
    for (const file of this.#files.values()) {
      if (!file.isSynced || file.live === file.filled || file.live === 0) continue
      if (!best || file.live * best.filled < best.live * file.filled) best = file
    }
    return best
  }

  #ended(result: FloorResult): void {
    const job = this.#job!
    const { valueBytes } = this.#data
    this.#job = undefined
    if (result.kind === 'punched') {
      const bytes = result.holes * valueBytes
      this.#usedBytes -= bytes
      this.#files.get(job.file)!.bytes -= bytes
    } else if (job.kind === 'copy') {
      const { keys, places } = result
      const descriptor = fs.openSync(path.join(this.#directory, String(job.output)), 'r')
      const file = this.#add(job.output, descriptor, Math.max(1, keys.length))
      for (const [slot, key] of keys.entries()) {
        file.keys[slot] = key
        // What died meanwhile was copied in vain.
        if (this.#places[key] === places[slot]) this.#place(key, file, slot)
      }
      file.filled = keys.length
      file.bytes = keys.length * valueBytes
      file.isSynced = true
      this.writtenBytes += file.bytes
      this.#usedBytes -= job.outputBytes - file.bytes
    }
    this.#work()
    this.#wake()
  }

  /** Resolves when all that is full is durable. */
  async synced(): Promise<void> {
    await this.#syncing
  }

  async close(): Promise<void> {
    while (this.#job && !this.#failure) await this.#changed()
    await this.synced()
    await this.#worker.terminate()
    for (const { descriptor } of this.#files.values()) fs.closeSync(descriptor)
  }
}
