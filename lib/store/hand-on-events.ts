/** From the engine's events to those of the store. */
import type { EventEmitter } from 'node:events'
import type { StoreEmitter } from '../contract/events.ts'

const EVENTS = ['flush', 'compaction', 'collection', 'evicted', 'stall', 'warning'] as const

/** 'error' only while somebody listens: the platform would end the process. */
export function handOnEvents(from: StoreEmitter, to: EventEmitter): void {
  for (const name of EVENTS) from.on(name, (detail) => to.emit(name, detail))
  from.on('error', (error) => {
    if (to.listenerCount('error') > 0) to.emit('error', error)
  })
}
