/** The native package: what it answers, what it refuses, and what happens where it is missing. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { punchNative, tryNativeLock } from '#dist/lib/base/platform/native-extensions.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { runModule } from '../../../support/processes/child-process.ts'

function openFile(flags: string, directory: string = temporaryDirectory()): number {
  const file = path.join(directory, 'file')
  fs.writeFileSync(file, Buffer.alloc(16384, 1))
  const descriptor = fs.openSync(file, flags)
  onTestFinished(() => fs.closeSync(descriptor))
  return descriptor
}

test('a lock is had by one descriptor', () => {
  const directory = temporaryDirectory()
  const [first, second] = [openFile('r+', directory), openFile('r+', directory)]
  expect(tryNativeLock(first)).toBe(true)
  expect(tryNativeLock(second)).toBe(false)
})

test('what is wrong with the descriptor is an error, not a lack of holes', () => {
  expect(() => punchNative(openFile('r'), 0, 4096)).toThrow(
    expect.objectContaining({ code: 'EBADF' }),
  )
})

test('without the package there are neither locks nor holes, and it is looked for once', async () => {
  const directory = temporaryDirectory()
  fs.writeFileSync(path.join(directory, 'file'), Buffer.alloc(8192, 1))
  const printed = await runModule(
    `const { default: Module } = await import('node:module')
    const load = Module._load
    let asked = 0
    Module._load = (name, ...rest) => {
      if (!name.startsWith('fs-native-extensions')) return load(name, ...rest)
      if (name === 'fs-native-extensions') asked++
      throw Object.assign(new Error('missing'), { code: 'MODULE_NOT_FOUND' })
    }
    const { tryNativeLock } = await import(DIST + 'lib/base/platform/native-extensions.js')
    const { nodeFileSystem } = await import(DIST + 'lib/base/platform/node-file-system.js')
    const file = nodeFileSystem.open(process.argv[1] + '/file', 'punch')
    console.log(tryNativeLock(0), file.punch(0, 4096), file.punch(4096, 4096), asked)`,
    directory,
  )
  expect(printed).toBe('undefined false false 1\n')
  expect(fs.readFileSync(path.join(directory, 'file'))).toEqual(Buffer.alloc(8192, 1))
})

test('the binary of a known version is loaded from its place; that of any other the package finds', async () => {
  const file = path.join(temporaryDirectory(), 'file')
  fs.writeFileSync(file, '')
  const loaded = (version: string): Promise<string> =>
    runModule(
      `const { default: Module } = await import('node:module')
       const load = Module._load
       const names = []
       Module._load = (name, ...rest) => {
         const found = load(name, ...rest)
         if (name.startsWith('fs-native-extensions')) names.push(name)
         return name === 'fs-native-extensions/package.json'
           ? { ...found, version: process.argv[2] || found.version }
           : found
       }
       const { tryNativeLock } = await import(DIST + 'lib/base/platform/native-extensions.js')
       const { openSync } = await import('node:fs')
       console.log(tryNativeLock(openSync(process.argv[1], 'r+')), names.at(-1))`,
      file,
      version,
    )
  const place = /^true fs-native-extensions\/prebuilds\/.*\.node\n$/
  expect(await loaded(''), 'the one that is installed').toMatch(place)
  expect(await loaded('1.6.0')).toBe('true fs-native-extensions\n')
})

// Mounting needs root and Linux.
test.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')(
  'a file system without holes answers false and changes nothing',
  () => {
    const directory = temporaryDirectory()
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', directory])
    try {
      const name = path.join(directory, 'file')
      fs.writeFileSync(name, Buffer.alloc(8192, 1))
      const file = nodeFileSystem.open(name, 'punch')
      expect(file.punch(0, 4096)).toBe(false)
      file.close()
      expect(fs.readFileSync(name)).toEqual(Buffer.alloc(8192, 1))
    } finally {
      execFileSync('umount', [directory])
    }
  },
)
