/**
 * Opening: a store that writes, or a view that only reads.
 *
 * Each loads its own modules: who only looks, as the wisc command does, waits for half as many.
 */
import { resolve } from 'node:path'
import { invalidArgument } from '../base/errors.ts'
import { CURRENT_NAME, joinPath } from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { lazyModule } from '../base/platform/lazy-module.ts'
import {
  fileSystemOfMode,
  modeOfStoreFile,
  nodeFileSystem,
} from '../base/platform/node-file-system.ts'
import { listenOnSocket } from '../base/platform/node-socket.ts'
import { type Random, systemRandom } from '../base/random.ts'
import { zstd } from '../base/zstd.ts'
import { mustBe, shown } from '../contract/given.ts'
import { type Options, type ResolvedOptions, resolveOptions } from '../contract/options.ts'
import { ReadOnlyEngine } from '../engine/read-only.ts'
import type { JobRunner } from '../jobs/runner.ts'
import { followLink, inspectPlace, makeDirectories } from '../recovery/store-place.ts'
import { Store } from './store.ts'

const writing = lazyModule(() => import('./open-for-writing.ts'))
const following = lazyModule(() => import('../follow/following-engine.ts'))

/** What tests put in place of the real things. */
export interface StoreParts {
  readonly fileSystem?: FileSystem
  readonly random?: Random
  /** Puts something around what runs the jobs. */
  readonly wrapRunner?: (runner: JobRunner) => JobRunner
  /** A view of a damaged store is opened, too: what is missing fails when it is read. */
  readonly isTolerant?: boolean
  /** A salvage fills the store: its marker is no hindrance. */
  readonly isSalvage?: boolean
}

/** What is wrong with a path, if anything is. */
function pathFault(path: unknown): string | undefined {
  if (typeof path === 'string') {
    if (path.length === 0) return 'path is empty'
    return path.includes('\0') ? `path has a zero byte: ${shown(path)}` : undefined
  }
  const hint = path instanceof URL ? ': fileURLToPath(url) of node:url makes one of it' : ''
  return mustBe('a string', 'path', path) + hint
}

/** See {@link open}, the public face of this. */
export async function openStore(
  path: string,
  options: Options = {},
  parts: StoreParts = {},
): Promise<Store> {
  const fault = pathFault(path)
  if (fault !== undefined) throw invalidArgument(fault)
  const resolved = resolveOptions(options)
  // Better now than at the first put.
  if (resolved.compression !== 'none' && !resolved.readOnly) zstd()
  const { random = systemRandom, wrapRunner = (runner) => runner } = parts
  const given = followLink(parts.fileSystem ?? nodeFileSystem, resolve(path))
  const fileSystem = parts.fileSystem ?? ownFileSystem(given, resolved)
  const place = {
    fileSystem,
    random,
    wrapRunner,
    isSalvage: parts.isSalvage ?? false,
    directory: given,
    options: resolved,
    listen: parts.fileSystem ? undefined : listenOnSocket,
  }
  if (inspectPlace(place, place.isSalvage) === 'missing')
    makeDirectories(fileSystem, place.directory)
  const directory = fileSystem.realPath(place.directory)
  const found = { ...place, directory }
  if (!resolved.readOnly) return (await writing()).openForWriting(found)
  if (resolved.follow) {
    const { FollowingEngine } = await following()
    return new Store(await FollowingEngine.open(found))
  }
  const isTolerant = parts.isTolerant ?? false
  return new Store(await ReadOnlyEngine.open({ ...found, isTolerant }))
}

/** The real one. New files are as the option says, or as those that the store has. */
function ownFileSystem(directory: string, { fileMode, workers }: ResolvedOptions): FileSystem {
  const mode = fileMode ?? modeOfStoreFile(joinPath(directory, CURRENT_NAME))
  return fileSystemOfMode(mode, workers > 0)
}
