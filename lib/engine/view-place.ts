/** The view of a reader without the lock: CURRENT, its manifest, the log behind it. Writes nothing. */
import type { LogSurvey } from '../../vlog/recovery/survey.ts'
import { CorruptionError, WiscError } from '../base/errors.ts'
import { segmentName } from '../base/files/file-names.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import { compareLogPositions } from '../base/log-position.ts'
import { type StoreSurvey, surveyStore } from '../recovery/recover.ts'
import type { StorePlace } from '../recovery/store-place.ts'
import type { ReadManifest } from '../tree/version/manifest-reader.ts'
import { VersionSet } from '../tree/version/version-set.ts'

/** The manifest that CURRENT names now. @throws WISC_NO_STORE, CorruptionError, IoError */
export function readNewest({
  fileSystem,
  directory,
}: Pick<StorePlace, 'fileSystem' | 'directory'>): ReadManifest {
  const manifest = VersionSet.read(fileSystem, directory)
  if (manifest) return manifest
  throw new WiscError('WISC_NO_STORE', `there is no store at this path path=${directory}`)
}

/**
 * Reads and proves what a version needs, beside a writer.
 * @throws CorruptionError, IoError: what looks so beside a writer is to be looked at again (lib/reads/read-again.ts)
 */
export function surveyView(
  place: StorePlace,
  context: StoreDirectory,
  manifest: ReadManifest,
): StoreSurvey {
  // A writer makes edits meanwhile, and frames name them: it is the newest manifest that must reach them.
  const survey = surveyStore(context, manifest, () => readNewest(place))
  requireEnd(place, survey)
  return survey
}

/**
 * Where a log ends at bytes that prove nothing, a frame is being written, or the writer died there. Or it has been
 * flushed since this manifest was read, and its values are holes by now.
 * @throws CorruptionError if the log of the newest version goes on behind this end
 */
function requireEnd(place: StorePlace, { end, endFile, reason }: LogSurvey): void {
  if (reason === undefined) return
  const { checkpoint, durable } = readNewest(place).version
  const isBehind = [checkpoint, durable].some((known) => compareLogPositions(known, end) > 0)
  if (isBehind) throw new CorruptionError(segmentName(endFile), end.offset, reason)
}
