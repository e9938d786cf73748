/**
 * The files of a directory tree as a data set: keys are paths, sizes are those of a real tree.
 *
 * Sizes follow the quantiles of the installed packages of a project of Node (5150 files; of the largest in a thousand,
 * which were single binaries of up to 95 MiB, none is taken). All of it is derived from a seed.
 */
import { Random, shuffled } from './data-set.ts'

/** Which share of the files is no larger than so many bytes. */
const SIZES: readonly (readonly [number, number])[] = [
  [0, 1],
  [0.01, 11],
  [0.05, 67],
  [0.1, 106],
  [0.2, 232],
  [0.3, 528],
  [0.4, 933],
  [0.5, 1347],
  [0.6, 2197],
  [0.7, 3707],
  [0.8, 6321],
  [0.9, 14_913],
  [0.95, 38_739],
  [0.98, 117_352],
  [0.99, 206_340],
  [0.995, 390_369],
  [1, 3_536_568],
]
const BYTES_MAX = 3_536_568
/** Files of a folder, folders of a folder. */
const FILES_PER_FOLDER = 7
const FOLDERS_PER_FOLDER = 9
const ENDINGS = ['.js', '.d.ts', '.json', '.md', '.map', '.c', '']
/** Values begin at places of this many different bytes. */
const SOURCE_BYTES = 8 * 1024 * 1024

/** Files by their index, in the order of their paths. */
export class TreeData {
  readonly entries: number
  /** Of all files together. */
  readonly totalBytes: number
  /** In the mean. */
  readonly valueBytes: number
  /** The indexes in random order. */
  readonly order: Uint32Array
  readonly #paths: readonly string[]
  readonly #sizes: Uint32Array
  readonly #places: Uint32Array
  readonly #source: Buffer

  constructor(entries: number, seed: number) {
    const random = new Random(seed)
    this.entries = entries
    this.#paths = Array.from({ length: entries }, (_, i) => pathOf(i)).sort()
    this.#sizes = new Uint32Array(entries)
    this.#places = new Uint32Array(entries)
    for (let i = 0; i < entries; i++) {
      this.#sizes[i] = sizeAt(random.next() / 2 ** 32)
      this.#places[i] = random.below(SOURCE_BYTES / 4) * 4
    }
    this.totalBytes = this.#sizes.reduce((sum, bytes) => sum + bytes, 0)
    this.valueBytes = Math.ceil(this.totalBytes / entries)
    this.order = shuffled(entries, random)
    const words = new Uint32Array((SOURCE_BYTES + BYTES_MAX) / 4)
    for (let i = 0; i < words.length; i++) words[i] = random.next()
    this.#source = Buffer.from(words.buffer)
  }

  key(index: number): Buffer {
    return Buffer.from(this.#paths[index]!)
  }

  /** A view that never changes. */
  value(index: number): Buffer {
    const at = this.#places[index]!
    return this.#source.subarray(at, at + this.#sizes[index]!)
  }

  /** @throws Error unless `value` is the file of this index */
  check(index: number, value: Uint8Array | undefined): void {
    if (value === undefined || this.value(index).compare(value) !== 0) {
      throw new Error(`the engine returned a wrong file index=${index} length=${value?.length}`)
    }
  }
}

/** Straight lines between the logarithms of neighbours. */
function sizeAt(share: number): number {
  const next = SIZES.findIndex(([upTo]) => share <= upTo)
  if (next <= 0) return SIZES[0]![1]
  const [from, small] = SIZES[next - 1]!
  const [to, large] = SIZES[next]!
  return Math.round(small * (large / small) ** ((share - from) / (to - from)))
}

/** `node_modules/folder-3/folder-0/file-000017.d.ts`: all different. */
function pathOf(number: number): string {
  const digits = Math.floor(number / FILES_PER_FOLDER).toString(FOLDERS_PER_FOLDER)
  const folders = Array.from(digits, (digit) => `folder-${digit}`)
  const name = `file-${String(number).padStart(6, '0')}${ENDINGS[number % ENDINGS.length]}`
  return ['node_modules', ...folders, name].join('/')
}
