/**
 * Listening to AbortSignals without leaving anything on them.
 *
 * A signal may live as long as its process and be passed to thousands of calls. So there is one listener on it, however
 * many of ours listen, and none when the last has stopped. `AbortSignal.any` is not for that: on Node 20 a long-lived
 * signal keeps every signal that was ever made from it.
 */

class Listeners {
  readonly actions: Set<() => void> = new Set()
  readonly fire = (): void => {
    for (const action of [...this.actions]) action()
    this.actions.clear()
  }
}

const listening = new WeakMap<AbortSignal, Listeners>()

/**
 * Calls `action`, which must not throw, when the signal fires; not if it has fired already.
 * @returns stops listening; a second call does nothing
 */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  const listeners = listening.get(signal) ?? new Listeners()
  listening.set(signal, listeners)
  const { actions, fire } = listeners
  if (actions.size === 0) signal.addEventListener('abort', fire, { once: true })
  // One of its own for each call, so that the same action may be given twice.
  const mine = (): void => action()
  actions.add(mine)
  return () => {
    if (actions.delete(mine) && actions.size === 0) signal.removeEventListener('abort', fire)
  }
}

/** A signal that fires when another one does, until it is unlinked. */
export interface LinkedSignal {
  readonly signal: AbortSignal
  /** To be called when nobody needs the signal any more. */
  unlink(): void
}

/** A signal that fires when the first of these does. */
export function linkSignals(first: AbortSignal, second: AbortSignal | undefined): LinkedSignal {
  if (second === undefined) return { signal: first, unlink: () => {} }
  const controller = new AbortController()
  const stops = [first, second].map((signal) => {
    if (signal.aborted) controller.abort(signal.reason)
    return onAbort(signal, () => controller.abort(signal.reason))
  })
  return {
    signal: controller.signal,
    unlink: () => {
      for (const stop of stops) stop()
    },
  }
}

/** What a promise resolves to, unless the signal fires before: its reason is thrown, and the promise left alone. */
export function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () => reject(signal.reason))
    // Whoever has fired already does not fire again.
    if (signal.aborted) reject(signal.reason)
    promise.then(resolve, reject).finally(stop)
  })
}
