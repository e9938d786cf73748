/** When a follower looks: at short intervals while there is news, and when it is told where there is none. */
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { watchDirectory } from '#dist/lib/base/platform/node-directory-watch.js'
import { Looks } from '#dist/lib/follow/looks.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { stopTimers } from '../../support/store/idle.ts'

/** Looks on a clock that goes on by a call alone, at something that tells of changes. */
class Scene {
  looks = 0
  hasNews = false
  failure: Error | undefined
  /** Undefined while nobody watches. */
  changed: (() => void) | undefined
  readonly events: EventEmitter = new EventEmitter()
  readonly watch: ReturnType<typeof vi.fn>
  readonly times: Looks

  constructor(canWatch = true) {
    stopTimers()
    const close = (): void => {
      this.changed = undefined
    }
    this.watch = vi.fn((changed: () => void) => {
      if (!canWatch) return undefined
      this.changed = changed
      return { close }
    })
    this.times = new Looks({
      events: this.events,
      look: async () => {
        this.looks++
        if (this.failure) throw this.failure
        const { hasNews } = this
        this.hasNews = false
        return hasNews
      },
      watch: this.watch as never,
    })
    this.times.begin()
  }

  /** @returns how many looks there were meanwhile */
  async pass(ms: number): Promise<number> {
    const before = this.looks
    await vi.advanceTimersByTimeAsync(ms)
    return this.looks - before
  }
}

describe('looks', () => {
  test('come at short intervals while nobody can tell of changes', async () => {
    const scene = new Scene(false)
    expect(await scene.pass(10_000)).toBe(200)
    expect(scene.watch).toHaveBeenCalledTimes(1)
  })

  test('rest when nothing has come for a second, until there is a change', async () => {
    const scene = new Scene()
    expect(await scene.pass(1000)).toBe(20)
    expect(scene.changed).toBeDefined()
    // One behind the beginning of the watch, and then now and then.
    expect(await scene.pass(50)).toBe(1)
    expect(await scene.pass(10_000)).toBe(10)
    scene.hasNews = true
    scene.changed!()
    expect(scene.changed).toBeUndefined()
    expect(await scene.pass(1)).toBe(1)
    expect(await scene.pass(500)).toBe(10)
    expect(await scene.pass(600)).toBe(11)
    expect(scene.changed).toBeDefined()
    expect(await scene.pass(10_000)).toBe(10)
  })

  test('go on at short intervals for good where news come of which nobody has told', async () => {
    const scene = new Scene()
    await scene.pass(1050)
    scene.hasNews = true
    expect(await scene.pass(1000)).toBe(1)
    expect(scene.changed).toBeDefined()
    expect(await scene.pass(50)).toBe(1)
    expect(scene.changed).toBeUndefined()
    expect(await scene.pass(10_000)).toBe(200)
    expect(scene.watch).toHaveBeenCalledTimes(1)
  })

  test('do not blame who watches for what was written before it began', async () => {
    const scene = new Scene()
    await scene.pass(1000)
    expect(scene.changed).toBeDefined()
    scene.hasNews = true
    await scene.pass(50)
    expect(scene.changed).toBeUndefined()
    await scene.pass(1000)
    expect(scene.changed).toBeDefined()
    expect(scene.watch).toHaveBeenCalledTimes(2)
  })

  test('believe who tells of news a little later', async () => {
    const scene = new Scene()
    await scene.pass(1050)
    scene.hasNews = true
    await scene.pass(1000)
    scene.changed!()
    await scene.pass(2000)
    expect(scene.changed).toBeDefined()
  })

  test('are taken after one that has failed, and end', async () => {
    const scene = new Scene()
    await scene.pass(1050)
    scene.failure = new Error('no')
    const failed = vi.fn()
    scene.events.on('error', failed)
    expect(await scene.pass(1000)).toBe(1)
    expect(scene.changed).toBeUndefined()
    expect(scene.times.error).toBeDefined()
    scene.failure = undefined
    expect(await scene.pass(1000)).toBe(1)
    expect(scene.times.error).toBeUndefined()
    expect(failed).toHaveBeenCalledTimes(1)
    await scene.pass(1000)
    expect(scene.changed).toBeDefined()
    scene.times.close()
    expect(scene.changed).toBeUndefined()
    expect(await scene.pass(10_000)).toBe(0)
  })
})

test('a directory that is watched tells of what is written to its files, where it says so', async () => {
  const directory = temporaryDirectory()
  const file = fs.openSync(path.join(directory, 'file'), 'w')
  let tell = (): void => {}
  const told = new Promise<void>((resolve) => {
    tell = resolve
  })
  const watch = watchDirectory(directory, tell)
  if (watch) {
    fs.writeSync(file, 'news')
    await told
    watch.close()
  }
  fs.closeSync(file)
  expect(watchDirectory(path.join(directory, 'nothing'), tell)).toBeUndefined()
})
