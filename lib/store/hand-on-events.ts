/** From the engine's events to those of the store. */
import type { EventEmitter } from 'node:events'
import type { StoreEmitter, StoreListener } from '../contract/events.ts'

const EVENTS = ['flush', 'compaction', 'collection', 'evicted', 'stall', 'warning'] as const

/** 'error' only while somebody listens: the platform would end the process. */
export function handOnEvents(from: StoreEmitter, to: EventEmitter): void {
  for (const name of EVENTS) from.on(name, (detail) => to.emit(name, detail))
  from.on('error', (error) => {
    if (to.listenerCount('error') > 0) to.emit('error', error)
  })
  handOnNews(from, to)
}

/** Only while somebody listens: who waits for news keeps the process alive. */
function handOnNews(from: StoreEmitter, to: EventEmitter): void {
  const hand: StoreListener<'advanced'> = (event) => to.emit('advanced', event)
  to.on('newListener', (name) => {
    if (name === 'advanced' && to.listenerCount(name) === 0) from.on(name, hand)
  })
  to.on('removeListener', (name) => {
    if (name === 'advanced' && to.listenerCount(name) === 0) from.off(name, hand)
  })
}
