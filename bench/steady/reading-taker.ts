/**
 * Takes samples of the disk's space beside the overwrites, by a timer.
 */
import type { EngineStore } from '../engines/engine.ts'
import { readDiskUsage } from '../harness/disk-usage.ts'
import type { SteadyResult } from './results.ts'
import { type SpaceSample, spaceAmplification } from './samples.ts'

/** At full speed a store writes some 100 MB in this time. */
const SAMPLE_MS = 250
/** The store's own figures are noted once a second. */
const SAMPLES_PER_FIGURES = 4

/** Works from its creation on until {@link ReadingTaker.finish}. */
export class ReadingTaker {
  readonly #store: Pick<EngineStore, 'figures'>
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #liveBytes: number
  readonly #progress: { readonly acknowledged: number }
  readonly #samples: SpaceSample[] = []
  readonly #startedAt: number = performance.now()
  readonly #timer: NodeJS.Timeout
  #longestReadingMs = 0

  constructor(
    store: Pick<EngineStore, 'figures'>,
    directory: string,
    segmentBytes: number,
    liveBytes: number,
    progress: { readonly acknowledged: number },
  ) {
    this.#store = store
    this.#directory = directory
    this.#segmentBytes = segmentBytes
    this.#liveBytes = liveBytes
    this.#progress = progress
    this.#take(true)
    this.#timer = setInterval(
      () => this.#take(this.#samples.length % SAMPLES_PER_FIGURES === 0),
      SAMPLE_MS,
    )
  }

  /** Takes the last sample. */
  finish(): Pick<SteadyResult, 'samples' | 'longestReadingMs'> {
    clearInterval(this.#timer)
    this.#take(true)
    return { samples: this.#samples, longestReadingMs: this.#longestReadingMs }
  }

  #take(withFigures: boolean): void {
    const before = performance.now()
    const usage = readDiskUsage(this.#directory)
    this.#samples.push({
      seconds: (before - this.#startedAt) / 1000,
      acknowledged: this.#progress.acknowledged,
      ...usage,
      spaceAmplification: spaceAmplification(usage.diskBytes, this.#segmentBytes, this.#liveBytes),
      ...(withFigures ? { figures: this.#store.figures() } : {}),
    })
    this.#longestReadingMs = Math.max(this.#longestReadingMs, performance.now() - before)
  }
}
