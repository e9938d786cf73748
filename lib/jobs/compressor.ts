/** Compresses chunks for writers, by a job: in a worker, or in turns of the event loop where there is none. */
import type { PackedChunks } from '../../vlog/value-codec.ts'
import type { DatabaseDirectory } from '../base/files/store-directory.ts'
import type { JobRunner } from './runner.ts'

export class JobCompressor {
  readonly #context: DatabaseDirectory & { readonly runner: JobRunner }

  constructor(context: DatabaseDirectory & { readonly runner: JobRunner }) {
    this.#context = context
  }

  /** @returns the chunks as they are stored. @throws whatever may have ended the job */
  compress(chunks: PackedChunks, level: number): Promise<PackedChunks> {
    const { directory, databaseId, runner } = this.#context
    return runner.run({ kind: 'compress', directory, databaseId, chunks, level })
  }
}
