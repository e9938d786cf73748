/** I5: which file is reported when, against what the pins of all versions say. */
import { expect, test } from 'vitest'
import { type ObsoleteFile, ObsoleteFiles } from '#dist/lib/tree/version/obsolete-files.js'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const version = (id: number): Version => ({ ...EMPTY_VERSION, id })

interface Pin {
  readonly id: number
  readonly what: 'everything' | 'tables'
  readonly release: () => void
}

test('I5: over any pins, a file is reported once, when no version up to its last keeps it', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const files = new ObsoleteFiles(version(0))
  const reported: ObsoleteFile[] = []
  files.onObsolete((file) => reported.push(file))
  let current = 0
  let number = 0
  let pins: Pin[] = []
  const dropped: { readonly id: number; readonly file: ObsoleteFile }[] = []
  for (let i = 0; i < 2000; i++) {
    const act = prng.below(10)
    if (act < 4) {
      const what = prng.pick(['everything', 'tables'] as const)
      const pin = files.pin(what)
      expect(pin.version.id).toBe(current)
      pins.push({ id: current, what, release: pin.release })
    } else if (act < 7 && pins.length > 0) {
      const pin = prng.pick(pins)
      pins = pins.filter((other) => other !== pin)
      pin.release()
      pin.release()
    } else {
      const gone = Array.from({ length: prng.below(3) }, () => {
        const kind = prng.pick(['table', 'segment'] as const)
        return { id: current, file: { kind, number: ++number } }
      })
      dropped.push(...gone)
      files.supersede(
        version(++current),
        gone.map(({ file }) => file),
      )
    }
    const expected = dropped.filter(
      ({ id, file }) =>
        !pins.some((pin) => pin.id <= id && (pin.what === 'everything' || file.kind === 'table')),
    )
    expect(
      reported.map((file) => file.number).sort((a, b) => a - b),
      replayHint(seed),
    ).toEqual(expected.map(({ file }) => file.number))
    const pinned = new Set([current, ...pins.map(({ id }) => id)])
    expect(files.versionCount, replayHint(seed)).toBe(pinned.size)
  }
})
