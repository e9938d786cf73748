/** Where the files of a database lie, by which file system, and whose they are: what every access to one needs. */
import type { FileSystem } from './file-system.ts'

export interface StoreDirectory {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly databaseId: Uint8Array
}
