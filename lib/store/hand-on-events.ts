/** From the engine's events to those of the store. */
import type { EventEmitter } from 'node:events'
import type { StoreEmitter } from '../contract/events.ts'

const EVENTS = [
  'flush',
  'compaction',
  'collection',
  'evicted',
  'stall',
  'advanced',
  'warning',
] as const

/** 'error' only while somebody listens: the platform would end the process. */
export function handOnEvents(from: StoreEmitter, to: EventEmitter): void {
  for (const name of EVENTS) from.on(name, (detail) => to.emit(name, detail))
  from.on('error', (error) => {
    if (to.listenerCount('error') > 0) to.emit('error', error)
  })
}

/** @param wait called whenever somebody begins to wait for news, or nobody does any more */
export function watchForWaiting(store: EventEmitter, wait: (isAwaited: boolean) => void): void {
  store.on('newListener', (name) => {
    if (name === 'advanced') wait(true)
  })
  store.on('removeListener', (name) => {
    if (name === 'advanced') wait(store.listenerCount(name) > 0)
  })
}
