/** Where the files of a database lie, by which file system, and whose they are: what every access to one needs. */
import type { FileSystem } from './file-system.ts'

/** For jobs, which go to workers as messages: each has a file system of its own. */
export interface DatabaseDirectory {
  readonly directory: string
  readonly databaseId: Uint8Array
}

export interface StoreDirectory extends DatabaseDirectory {
  readonly fileSystem: FileSystem
}
