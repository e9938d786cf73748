/**
 * Opening for writing: the lock, then a new database or a recovered one; a turn of the event loop later the socket.
 *
 * Loaded only when a store is opened so: who only looks waits for half as many modules. Nothing is written before
 * the lock is held, and nothing before everything has been read and checked. What only jobs and collections need is
 * loaded by the first of them; that of jobs soon after the open.
 */
import { EventEmitter } from 'node:events'
import { dirname } from 'node:path'
import { WiscError } from '../base/errors.ts'
import { joinPath, parseFileName, segmentName } from '../base/files/file-names.ts'
import type { FileSystem, Lock } from '../base/files/file-system.ts'
import { Ground } from '../base/files/ground.ts'
import { GuardedFileSystem } from '../base/files/guarded-file-system.ts'
import { LOG_START } from '../base/log-position.ts'
import type { ListenOnSocket } from '../base/platform/node-socket.ts'
import { chooseSocketPath, type SocketPlace } from '../base/platform/node-socket-place.ts'
import { lockStore } from '../base/platform/store-lock.ts'
import type { Random } from '../base/random.ts'
import { warnLoudly } from '../contract/events.ts'
import { ControlSocket } from '../control/control-socket.ts'
import { openWithBallast, refuseUnknownBallast } from '../engine/ballast.ts'
import { Engine, type EngineContext } from '../engine/engine.ts'
import { createRunner, GroundedRunner } from '../jobs/create-runner.ts'
import type { JobRunner } from '../jobs/runner.ts'
import { emptyReport, type RecoveredLog, recoverLog, surveyStore } from '../recovery/recover.ts'
import { inspectPlace, type StorePlace } from '../recovery/store-place.ts'
import type { FoundFiles } from '../state/found-files.ts'
import { EMPTY_VERSION, logFiles } from '../tree/version/version.ts'
import { VersionSet } from '../tree/version/version-set.ts'
import { Store } from './store.ts'

/** An open for writing, and what it is made with. */
export interface WritingPlace extends StorePlace {
  readonly random: Random
  readonly wrapRunner: (runner: JobRunner) => JobRunner
  /** A salvage fills the store. */
  readonly isSalvage: boolean
  /** Undefined where there is no real directory. */
  readonly listen: ListenOnSocket | undefined
}

/** Whose file system asks the ground. */
interface GuardedPlace extends WritingPlace {
  readonly ground: Ground
}

/** For CURRENT, the first edits and their segments. */
const ROOM_TO_OPEN_BYTES = 1024 * 1024

export async function openForWriting(given: WritingPlace): Promise<Store> {
  const { fileSystem: unguarded, directory } = given
  const socket = socketPlace(given)
  const lock = holdDirectory(unguarded, directory, await takeLock(given, socket))
  const ground = Ground.ofWriter(unguarded, directory)
  const place = { ...given, fileSystem: new GuardedFileSystem(unguarded, ground), ground }
  try {
    const engine = await openWithBallast(place, () => startEngine(place))
    return serve(place, engine, lock, socket)
  } catch (error) {
    lock.release()
    throw error instanceof WiscError && error.code === 'WISC_DISK_FULL'
      ? noRoom(place, error)
      : error
  }
}

/** The directory stays open as long as the lock is held, so that it can be synced when no descriptor is left. */
function holdDirectory(fileSystem: FileSystem, directory: string, lock: Lock): Lock {
  try {
    const held = fileSystem.holdDirectory(directory)
    return {
      release: () => {
        held.release()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** The store; its socket comes last of all. */
function serve(
  place: WritingPlace,
  engine: Engine,
  lock: Lock,
  socket: SocketPlace | undefined,
): Store {
  const { listen } = place
  if (!listen || !socket) return new Store(engine, { engine, lock })
  const control = new ControlSocket({ ...place, socket, listen, events: engine.events })
  const store = new Store(engine, { engine, lock, control })
  control.open(store, engine)
  return store
}

/** Where the socket will be: LOCK names it, so it is known before. */
function socketPlace({ directory, listen, options }: WritingPlace): SocketPlace | undefined {
  return listen && options.controlSocket ? chooseSocketPath(directory) : undefined
}

/** Recovery writes at most what lies in unsealed segments once more, a manifest, and first segments. */
function noRoom({ fileSystem, directory }: StorePlace, cause: WiscError): WiscError {
  const manifest = VersionSet.read(fileSystem, directory)
  // The new manifest begins with all that the old one says.
  let needed = ROOM_TO_OPEN_BYTES + (manifest?.validBytes ?? 0)
  for (const { number, seal } of manifest ? logFiles(manifest.version) : []) {
    if (seal) continue
    needed += 2 * (fileSystem.statPath(joinPath(directory, segmentName(number)))?.size ?? 0)
  }
  const message = `the disk is too full to open the store: free space, or open with readOnly neededBytes=${needed}`
  return new WiscError('WISC_DISK_FULL', message, { cause })
}

/** Opens or creates what the lock protects. Everything is closed again if it fails. */
async function startEngine(place: GuardedPlace): Promise<Engine> {
  const { fileSystem, directory, ground } = place
  const events = new EventEmitter()
  const warn = (message: string): void => warnLoudly(events, message)
  const bare = place.wrapRunner(createRunner(place.options.workers, fileSystem, place.random, warn))
  const runner = new GroundedRunner(bare, ground)
  let versions: VersionSet | undefined
  try {
    const report = emptyReport()
    let recovered: RecoveredLog
    let databaseId: Uint8Array
    // Once more, now that nobody else can change it.
    if (inspectPlace(place, place.isSalvage) === 'empty') {
      // The directory itself may be the unfinished work of a creation that was cut off before its name was durable.
      fileSystem.syncDirectory(dirname(directory))
      databaseId = place.random.bytes(16)
      const files = findFirstFiles(place)
      const context = { fileSystem, directory, databaseId, random: place.random }
      versions = await VersionSet.create(context, { nextFileNumber: files.nextNumber })
      recovered = { files, end: LOG_START, nextOrdinal: 1, lastSequence: 0, nextSequence: 1 }
      report.clean = true
    } else {
      const manifest = VersionSet.read(fileSystem, directory)!
      databaseId = manifest.databaseId
      const context = { fileSystem, directory, databaseId }
      refuseUnknownBallast(context)
      const began = performance.now()
      const survey = surveyStore(context, manifest)
      report.surveyMs = performance.now() - began
      versions = VersionSet.recover({ ...context, random: place.random }, manifest)
      recovered = await recoverLog(context, place.random, versions, manifest, survey, report)
    }
    const context: EngineContext = { ...place, databaseId, events, runner }
    const engine = await Engine.start(context, versions, recovered, report)
    ground.onLost((error) => engine.health.end(error))
    return engine
  } catch (error) {
    await versions?.close()
    await runner.close()
    throw error
  }
}

function takeLock(
  { fileSystem, directory, options }: WritingPlace,
  socket: SocketPlace | undefined,
): Promise<Lock> {
  const answersAt = socket && 'path' in socket ? socket.path : undefined
  const advice = 'close it there, or open with readOnly'
  return lockStore(fileSystem, directory, advice, answersAt, options.waitForLock)
}

/** A creation that was cut off may have left manifests (store-place.ts): their numbers are not used again. */
function findFirstFiles({ fileSystem, directory }: WritingPlace): FoundFiles {
  const others = fileSystem.list(directory)
  const largest = others.reduce((most, name) => Math.max(most, parseFileName(name)?.number ?? 0), 0)
  return { version: EMPTY_VERSION, allocated: new Map(), others, nextNumber: largest + 1 }
}
