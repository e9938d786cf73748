/** Files of the tree: a read that waits for the disk brings what lies around it. */
import { expect, test } from 'vitest'
import { LapsingFile, WINDOW_BYTES } from '#dist/lib/base/files/lapsing-file.js'
import { ColdFileSystem } from '../../../support/parts/stored-values.ts'

const BLOCK_BYTES = 4096
const BLOCKS = 64
const PATH = '/db/000001.sst'

/** A cold file of as many bytes as four windows, each block of which has its number everywhere. */
function coldFile(keepsPages: boolean): {
  fileSystem: ColdFileSystem
  file: LapsingFile
} {
  const fileSystem = new ColdFileSystem()
  const made = fileSystem.open(PATH, 'create')
  for (let block = 0; block < BLOCKS; block++) {
    made.write(new Uint8Array(BLOCK_BYTES).fill(block), 0, BLOCK_BYTES, block * BLOCK_BYTES)
  }
  made.close()
  Object.assign(fileSystem, { cold: true, keepsPages })
  return { fileSystem, file: new LapsingFile(fileSystem, PATH) }
}

function readBlocks(file: LapsingFile): void {
  const bytes = new Uint8Array(BLOCK_BYTES)
  for (let i = 0; i < BLOCKS; i++) {
    const block = (i * 37) % BLOCKS
    expect(file.read(bytes, 0, BLOCK_BYTES, block * BLOCK_BYTES)).toBe(BLOCK_BYTES)
    expect(bytes.every((byte) => byte === block)).toBe(true)
  }
}

test('each window of a cold file is read once, and no more', () => {
  const { fileSystem, file } = coldFile(true)
  readBlocks(file)
  expect(fileSystem.reads).toBe(BLOCKS + (BLOCKS * BLOCK_BYTES) / WINDOW_BYTES)
  fileSystem.forgetPages()
  readBlocks(file)
  expect(fileSystem.reads).toBe(2 * BLOCKS + (BLOCKS * BLOCK_BYTES) / WINDOW_BYTES)
})

test('where nothing keeps what was read, nothing more is read than was asked for', () => {
  const { fileSystem, file } = coldFile(false)
  readBlocks(file)
  expect(fileSystem.reads).toBe(BLOCKS)
})

test('a window that cannot be read fails nothing', () => {
  const { fileSystem } = coldFile(true)
  const failing = Object.create(fileSystem, {
    open: {
      value: (path: string, mode: 'read') => {
        const file = fileSystem.open(path, mode)
        return Object.create(file, {
          read: {
            value: (...given: Parameters<typeof file.read>) => {
              if (given[2] > BLOCK_BYTES) throw new Error('it is damaged around')
              return file.read(...given)
            },
          },
        })
      },
    },
  })
  readBlocks(new LapsingFile(failing, PATH))
})
