/**
 * A file system of its own inside a file: ext4 with a journal, on a loop device, mounted without discard, as most
 * machines have it (`--loop ext4`). Linux and root are needed.
 *
 * The file is written once before, so that all runs in it find blocks that are there. It has no name any more as soon
 * as it is mounted: whatever ends this process, an `umount` of the folder gives all of it back.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** So much stays free beside the file. */
const FREE_BYTES_LEFT = 1024 ** 3
const PIECE_BYTES = 4 * 1024 ** 2
const MAKE = ['-q', '-F', '-m', '0', '-O', 'has_journal', '-E']
const MAKE_EXTENDED = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0'

/** A mounted one. Remove it before the process ends; its exit handler does so in any case. */
export class LoopExt4 {
  /** Where it is mounted. */
  readonly directory: string
  readonly #image: string
  readonly #remove = (): void => this.remove()

  private constructor(folder: string) {
    this.directory = path.join(folder, 'ext4')
    this.#image = path.join(folder, 'ext4.image')
    process.on('exit', this.#remove)
  }

  /**
   * Makes one in `folder`.
   * @param bytes its size
   * @throws Error where that is not possible; nothing is left of it
   */
  static async make(folder: string, bytes: number): Promise<LoopExt4> {
    checkPlatform()
    const { bavail, bsize } = fs.statfsSync(folder)
    const missing = bytes + FREE_BYTES_LEFT - bavail * bsize
    if (missing > 0) {
      throw new Error(`--loop ext4 needs ${missing} bytes more than ${folder} has free`)
    }
    const loop = new LoopExt4(folder)
    try {
      await writeZeros(loop.#image, bytes)
      run('mkfs.ext4', [...MAKE, MAKE_EXTENDED, loop.#image])
      fs.mkdirSync(loop.directory)
      run('mount', ['-t', 'ext4', '-o', 'loop,nodiscard', loop.#image, loop.directory])
      fs.rmSync(loop.#image)
      return loop
    } catch (error) {
      loop.remove()
      throw error
    }
  }

  /** Unmounts it, and it is gone; a second call does nothing. */
  remove(): void {
    process.off('exit', this.#remove)
    fs.rmSync(this.#image, { force: true })
    if (!fs.existsSync(this.directory)) return
    // What still has files open there, a child that is about to end, keeps it from others' sight no longer.
    if (isMounted(this.directory) && !succeeds('umount', [this.directory])) {
      run('umount', ['--lazy', this.directory])
    }
    fs.rmdirSync(this.directory)
  }
}

function checkPlatform(): void {
  if (process.platform !== 'linux') throw new Error('--loop ext4 needs Linux')
  if (process.getuid?.() !== 0) throw new Error('--loop ext4 mounts a file system: it needs root')
  if (!fs.existsSync('/dev/loop-control')) throw new Error('--loop ext4 needs a loop device')
}

/** Not in one turn: a signal may end the process meanwhile. */
async function writeZeros(image: string, bytes: number): Promise<void> {
  const file = await fs.promises.open(image, 'wx', 0o600)
  try {
    const piece = Buffer.alloc(PIECE_BYTES)
    for (let at = 0; at < bytes; at += PIECE_BYTES) await file.write(piece, 0, PIECE_BYTES, at)
    await file.sync()
  } finally {
    await file.close()
  }
}

function isMounted(directory: string): boolean {
  return fs.statSync(directory).dev !== fs.statSync(path.dirname(directory)).dev
}

function succeeds(command: string, words: readonly string[]): boolean {
  return spawnSync(command, words, { stdio: 'ignore' }).status === 0
}

/** @throws Error with what the command says */
function run(command: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, words, { encoding: 'utf8' })
  if (status === 0) return
  throw new Error(`--loop ext4: ${command} failed: ${error?.message ?? stderr.trim()}`)
}
