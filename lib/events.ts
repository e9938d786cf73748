/** Events: what a listener throws is the listener's, and must not stop the store in the middle of a step. */
import type { EventEmitter } from 'node:events'

/** Emits; an error of a listener becomes an uncaught exception of the process, in a tick of its own. */
export function emitSafely(events: EventEmitter, name: string, detail: unknown): void {
  try {
    events.emit(name, detail)
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

const told = new Set<string>()

/** A 'warning' of a store that also everyone should see who does not listen: once a process it is one of Node's. */
export function warnLoudly(events: EventEmitter, message: string): void {
  emitSafely(events, 'warning', message)
  if (told.has(message)) return
  told.add(message)
  process.emitWarning(message, 'WiscWarning')
}
