/** A file system in front of another one, whose reads a test may look at or change. */
import type { File, FileSystem, OpenMode } from '#dist/lib/base/files/file-system.js'

/** What a read has found, before its caller sees it. What is changed in `found` is not on the disk. */
export type ReadWatcher = (path: string, found: Uint8Array, position: number) => void

export function watchReads(fileSystem: FileSystem, watch: ReadWatcher): FileSystem {
  return replaced(fileSystem, {
    open: (path: string, mode: OpenMode) => watchFile(fileSystem.open(path, mode), watch),
  })
}

function watchFile(file: File, watch: ReadWatcher): File {
  const { path } = file
  const seen = (target: Uint8Array, at: number, count: number, position: number): number => {
    watch(path, target.subarray(at, at + count), position)
    return count
  }
  return replaced(file, {
    read: (target, at, length, position) =>
      seen(target, at, file.read(target, at, length, position), position),
    readAsync: async (target, at, length, position) =>
      seen(target, at, await file.readAsync(target, at, length, position), position),
  })
}

/** The object with some methods in place of its own. */
function replaced<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name, target)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
}
