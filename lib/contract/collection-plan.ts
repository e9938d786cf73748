/**
 * What a collection would do: the types that the planner (lib/collector/plan/planner.ts) gives. What it takes are
 * the figures of files (lib/space/figures.ts).
 *
 * The steps and skipped files are part of the public CollectionPlan. They are plain JSON: no
 * undefined fields that mean something, no Infinity. All sizes are bytes. `diskBytes` is what the
 * file system has allocated, by its block count; all other sizes are lengths.
 */

export type ValueLogFileKind = 'segment' | 'relocation' | 'stream'

/** Why a file cannot be collected now, whatever is in it. */
export type BlockedReason =
  /** It is not sealed yet, and is not the one segment that is sealed on demand. */
  | 'unsealed'
  /** Part of it lies above the checkpoint: records of it are in no table yet. */
  | 'unflushed'
  /** A record of it failed its check. */
  | 'corrupt'
  /** A step works on it. */
  | 'busy'
  /** The caller named the segments to collect, and it holds none of them. */
  | 'not asked for'

/** Why a file is in no step. */
export type SkipReason =
  | BlockedReason
  /** Written anew it would not take one block less than now. */
  | 'no garbage'
  /** What it would free is too little for the bytes that would have to be copied. */
  | 'would free less than it costs'
  /** It would be worth it without what only an old snapshot or iterator sees. */
  | 'pinned by a reader'
  /** It would be worth it without what nobody can see, but a compaction has to show that first. */
  | 'hidden until a compaction'
  /** It is worth it, but `maxCopyBytes` does not leave room for its survivors. */
  | 'over the copy limit'
  /** It is worth it, but the steps before it are enough. */
  | 'goal reached'

/** A file as the plan saw it: a plan is stale when these figures have changed. */
export interface PlannedFile {
  readonly number: number
  readonly kind: ValueLogFileKind
  readonly referencedBytes: number
  readonly diskBytes: number
}

/** Nothing refers to these files: they are unlinked without being read. */
export interface DropStep {
  readonly action: 'drop'
  /** Ascending by number. */
  readonly files: readonly PlannedFile[]
  readonly bytesFreed: number
  readonly bytesCopied: 0
  /** The file is the active segment: it is sealed first. */
  readonly seal?: true
}

/**
 * Nothing refers to these logical segments any more, but to others in the same relocation. The
 * version forgets them, which costs one edit and frees nothing by itself.
 */
export interface ForgetStep {
  readonly action: 'forget'
  /** Ascending. */
  readonly segments: readonly number[]
  readonly bytesFreed: 0
  readonly bytesCopied: 0
}

/** Whole blocks of dead values are given back; the file stays where it is. */
export interface PunchStep {
  readonly action: 'punch'
  readonly file: PlannedFile
  /** How many; exact if the file was marked, else an estimate, as is bytesFreed. */
  readonly holes: number
  readonly bytesFreed: number
  readonly bytesCopied: 0
  /** The file is the active segment: it is sealed first. */
  readonly seal?: true
}

/** The survivors of these files are copied to one new relocation, then the files are unlinked. */
export interface RewriteStep {
  readonly action: 'rewrite'
  /** `merge`: to have fewer small files, even if that frees little. */
  readonly reason: 'garbage' | 'merge'
  /** Best first. */
  readonly files: readonly PlannedFile[]
  /** Disk bytes of the files less those of the output. */
  readonly bytesFreed: number
  /** Records of the survivors. */
  readonly bytesCopied: number
  /** Length of the new relocation. */
  readonly outputBytes: number
  /** One of the files is the active segment: it is sealed first. */
  readonly seal?: true
}

export type CollectionStep = DropStep | ForgetStep | PunchStep | RewriteStep

/** A file that is in no step (a forget step does not count: it names no files), and why. */
export interface SkippedFile {
  readonly number: number
  readonly reason: SkipReason
  /** Bytes that no entry points to. */
  readonly exposedGarbageBytes: number
  /** Of these, holes. */
  readonly punchedBytes: number
  readonly pinnedBytes: number
  readonly hiddenBytes: number
  /** If a reader pins it: sequence of the oldest one. */
  readonly oldestSnapshot?: number
}

/** What the planner decided. Steps are carried out in order, one at a time. */
export interface CollectionSteps {
  readonly steps: readonly CollectionStep[]
  /** Ascending by number. */
  readonly skipped: readonly SkippedFile[]
  readonly bytesFreed: number
  readonly bytesCopied: number
  /** The most by which disk use rises above the start: a rewrite's output comes before its input goes. */
  readonly peakExtraBytes: number
  readonly after: {
    readonly diskBytes: number
    /** diskBytes / live bytes; null if nothing lives. */
    readonly spaceAmplification: number | null
  }
}
