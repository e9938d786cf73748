/** The place of an upload in the order of writes is where its record goes into the queue, whenever that is. */
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'

interface Commit {
  submitStream?: (...asked: unknown[]) => Promise<void>
}

/**
 * What `before` writes comes right before the record of the next upload that becomes a stream, in the same group.
 * @returns what makes a later one go its way
 */
export function beforeNextStream(store: Store, before: () => void): () => void {
  const { commit } = engineOf(store) as unknown as { readonly commit: Commit }
  const submitStream = commit.submitStream!
  const forget = (): void => {
    delete commit.submitStream
  }
  commit.submitStream = (...asked) => {
    forget()
    before()
    return submitStream.apply(commit, asked)
  }
  return forget
}
