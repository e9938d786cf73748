/** A strict reader of Prometheus' text format: what it lets pass too easily for real readers is refused here, too. */
import { expect } from 'vitest'

interface MetricSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricFamily {
  readonly type: string
  readonly help: string
  readonly samples: MetricSample[]
}

const NAME = '[a-z][a-z0-9_]*'
const HELP = new RegExp(`^# HELP (${NAME}) (\\S.*[.])$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{([^{}]+)\\})? (\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`)
const LABEL = new RegExp(`^(${NAME})="([^"\\\\\n]*)"$`)
/** Base units alone: seconds, bytes. */
const OTHER_UNITS = /_(ms|us|millis|milliseconds|minutes|kb|mb|kib|mib|kilobytes|percent)(_|$)/

/** The families of a text, by their names. */
export function readMetrics(text: string): Map<string, MetricFamily> {
  expect(text.endsWith('\n')).toBe(true)
  const families = new Map<string, MetricFamily>()
  const seen = new Set<string>()
  let name = ''
  let help = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helped, words] = HELP.exec(line) ?? []
    const [, typed, type] = TYPE.exec(line) ?? []
    if (helped !== undefined) {
      expect(families.has(helped), `${helped} comes twice`).toBe(false)
      name = helped
      help = words!
    } else if (typed !== undefined) {
      expect(typed, 'the type comes behind the help').toBe(name)
      families.set(name, { type: type!, help, samples: [] })
    } else {
      const sample = readSample(line)
      const series = line.slice(0, line.lastIndexOf(' '))
      expect(seen.has(series), `${series} comes twice`).toBe(false)
      seen.add(series)
      expect(sample.name.replace(/_(bucket|sum|count)$/, ''), line).toBe(name)
      families.get(name)!.samples.push(sample)
    }
  }
  for (const [of, family] of families) checkFamily(of, family)
  return families
}

function readSample(line: string): MetricSample {
  const match = SAMPLE.exec(line)
  expect(match, line).not.toBeNull()
  const [, name, labels = '', value] = match!
  const pairs = labels
    .split(',')
    .filter(Boolean)
    .map((label) => {
      const pair = LABEL.exec(label)
      expect(pair, line).not.toBeNull()
      return [pair![1]!, pair![2]!] as const
    })
  return { name: name!, labels: Object.fromEntries(pairs), value: Number(value) }
}

function checkFamily(name: string, { type, samples }: MetricFamily): void {
  expect(name).not.toMatch(OTHER_UNITS)
  expect(name.endsWith('_total'), name).toBe(type === 'counter')
  if (type !== 'histogram') {
    expect(
      samples.every((sample) => sample.name === name),
      name,
    ).toBe(true)
    return
  }
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) =>
    labels['le'] === '+Inf' ? Infinity : Number(labels['le']),
  )
  const counts = buckets.map(({ value }) => value)
  expect(bounds, name).toEqual([...new Set(bounds)].sort((a, b) => a - b))
  expect(counts, name).toEqual(counts.toSorted((a, b) => a - b))
  expect(bounds.at(-1), name).toBe(Infinity)
  const [sum, count] = samples.slice(-2)
  expect([sum!.name, count!.name]).toEqual([`${name}_sum`, `${name}_count`])
  expect(count!.value).toBe(counts.at(-1))
}
