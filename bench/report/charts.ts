/**
 * The pictures of a report, as SVG: no script draws them, and their colors are the page's (`var(--wisc)`), so that they
 * follow light and dark.
 *
 * Drawn by Observable Plot in a document of linkedom; both are packages of bench/peers, installed when a report is
 * first asked for, and have one wrapper: this file.
 */

import { formatBytes } from '../harness/byte-sizes.ts'
import { loadPackage } from '../harness/packages.ts'

/** What is used of Plot, whose types are not at hand when the project is built. */
interface Plot {
  plot(options: object): { readonly outerHTML: string }
  lineY(data: readonly object[], options: object): object
  areaY(data: readonly object[], options: object): object
  barX(data: readonly object[], options: object): object
  dot(data: readonly object[], options: object): object
  ruleY(data: readonly number[], options?: object): object
  ruleX(data: readonly unknown[], options?: object): object
  text(data: readonly object[], options: object): object
}

interface Linkedom {
  parseHTML(html: string): { readonly document: object }
}

/** Of bench/peers. */
export const DRAWN_BY: readonly string[] = ['@observablehq/plot', 'linkedom']

/** The places on the axis of latencies. */
export const PERCENTILES: readonly string[] = ['p50', 'p99', 'p99.9']

/**
 * A phone has room for 340 pixels: drawn not much wider, pictures keep a type that can be read there. Where there is
 * more room several lie side by side.
 */
const WIDTH = 380
const HEIGHT = 300
/** Of the names at the ends of lines. */
const LETTER_WIDTH = 7.6
/** A bar with its name above it. */
const BAR_HEIGHT = 34
const NAME_UP: number = BAR_HEIGHT / 4 - 1
const AXIS_HEIGHT = 50

/** A point of a line with the range of its readings. */
export interface LinePoint {
  readonly engine: string
  readonly x: number
  readonly y: number
  readonly low: number
  readonly high: number
}

export interface Bar {
  readonly name: string
  readonly engine: string
  readonly value: number
}

export interface Curve {
  readonly engine: string
  readonly label: string
  readonly microseconds: number
}

export interface SpacePoint {
  readonly engine: string
  readonly seconds: number
  readonly amplification: number
}

export class Charts {
  readonly #plot: Plot
  readonly #document: object

  /** @throws Error if the packages are not installed */
  constructor() {
    this.#plot = loadPackage('@observablehq/plot') as Plot
    this.#document = (loadPackage('linkedom') as Linkedom).parseHTML('<html></html>').document
  }

  /** A line for each engine over the sizes of values, both axes logarithmic; a band from the lowest to the highest. */
  bySize(points: readonly LinePoint[], label: string): string {
    return this.#overSizes(points, { label, tickFormat: 's' }, [])
  }

  /** The same for ratios, with a line at 1. */
  ratios(points: readonly LinePoint[], label: string): string {
    const one = this.#plot.ruleY([1], { stroke: 'currentColor' })
    return this.#overSizes(points, { label, base: 2, tickFormat: '~r' }, [one])
  }

  /** @param behind marks that the lines lie on */
  #overSizes(points: readonly LinePoint[], y: object, behind: readonly object[]): string {
    const plot = this.#plot
    const band = { x: 'x', y1: 'low', y2: 'high', z: 'engine', fill: color, fillOpacity: 0.15 }
    return this.#draw({
      marginRight: roomForNames(points),
      x: { ...SIZES, ticks: [...new Set(points.map(({ x }) => x))] },
      y: { type: 'log', grid: true, ticks: 5, ...y },
      marks: [
        ...behind,
        plot.areaY(points, band),
        plot.lineY(points, { x: 'x', y: 'y', z: 'engine', stroke: color, strokeWidth }),
        plot.dot(points, { x: 'x', y: 'y', z: 'engine', fill: color, r: 3 }),
        this.#names(points, LOGARITHMIC),
      ],
    })
  }

  /** Each below its name: names of rows are as long as a phone is wide. */
  bars(bars: readonly Bar[]): string {
    const plot = this.#plot
    return this.#draw({
      height: AXIS_HEIGHT + BAR_HEIGHT * bars.length,
      marginBottom: 30,
      marginLeft: 10,
      marginRight: 60,
      x: { label: null, grid: true, zero: true, ticks: 5 },
      y: { axis: null, domain: bars.map(({ name }) => name) },
      marks: [
        plot.barX(bars, { x: 'value', y: 'name', fill: color, insetTop: BAR_HEIGHT / 2 }),
        plot.text(bars, { x: () => 0, y: 'name', text: 'name', textAnchor: 'start', dy: -NAME_UP }),
        plot.text(bars, {
          x: 'value',
          y: 'name',
          text: (bar: Bar) => bar.value.toFixed(2),
          dy: NAME_UP,
          ...AT_THE_END,
        }),
        plot.ruleX([0]),
      ],
    })
  }

  /** How slow the slowest are: p50, p99, ... in microseconds. */
  latencies(curves: readonly Curve[]): string {
    const plot = this.#plot
    return this.#draw({
      marginRight: roomForNames(curves),
      x: { type: 'point', label: null, domain: [...new Set(curves.map(({ label }) => label))] },
      y: { type: 'log', grid: true, label: 'microseconds', tickFormat: 's', ticks: 5 },
      marks: [
        plot.lineY(curves, {
          x: 'label',
          y: 'microseconds',
          z: 'engine',
          stroke: color,
          strokeWidth,
        }),
        plot.dot(curves, { x: 'label', y: 'microseconds', z: 'engine', fill: color, r: 3 }),
        this.#names(
          curves.map(({ engine, label, microseconds }) => ({ engine, x: label, y: microseconds })),
          LOGARITHMIC,
        ),
      ],
    })
  }

  /** @param steps moments at which the collector had copied or freed something more, in seconds */
  space(points: readonly SpacePoint[], steps: readonly number[], target: number | null): string {
    const plot = this.#plot
    return this.#draw({
      marginRight: roomForNames(points),
      x: { label: 'seconds', labelOffset: 40, grid: true },
      y: { label: 'bytes on disk over live ones', grid: true, zero: true },
      marks: [
        plot.ruleX(steps, { stroke: 'currentColor', strokeOpacity: 0.12 }),
        ...(target === null
          ? []
          : [plot.ruleY([target], { stroke: 'currentColor', strokeDasharray: '4 3' })]),
        plot.lineY(points, {
          x: 'seconds',
          y: 'amplification',
          z: 'engine',
          stroke: color,
          strokeWidth,
        }),
        this.#names(
          points.map(({ engine, seconds, amplification }) => ({
            engine,
            x: seconds,
            y: amplification,
          })),
          LINEAR,
        ),
        plot.ruleY([0]),
      ],
    })
  }

  /** The name of each line at its end. */
  #names(points: readonly Named[], scale: Scale): object {
    const ends = new Map(points.map((point) => [point.engine, point]))
    const labels = apart([...ends.values()], points, scale)
    return this.#plot.text(labels, { x: 'x', y: 'y', text: 'engine', fill: color, ...AT_THE_END })
  }

  #draw(options: object): string {
    return this.#plot.plot({
      document: this.#document,
      width: WIDTH,
      height: HEIGHT,
      marginLeft: 55,
      // The name of an axis below its figures.
      marginBottom: 45,
      style: { background: 'none', fontSize: '13px' },
      ...options,
    }).outerHTML
  }
}

const SIZES = {
  type: 'log',
  base: 2,
  label: 'bytes of a value',
  labelOffset: 40,
  tickFormat: shortBytes,
}
const AT_THE_END = { textAnchor: 'start', dx: 6 }

/** 65536 as `64K`: ten sizes find room below a picture. */
function shortBytes(bytes: number): string {
  return formatBytes(bytes).replace(/ (?:B|(.)iB)$/, '$1')
}

function roomForNames(points: readonly { readonly engine: string }[]): number {
  return 12 + LETTER_WIDTH * Math.max(...points.map(({ engine }) => engine.length))
}

/** The page defines one for each engine. */
function color({ engine }: { readonly engine: string }): string {
  return `var(--${engine})`
}

/** The line that all others are beside. */
function strokeWidth({ engine }: { readonly engine: string }): number {
  return engine === 'wisc' ? 3.5 : 2
}

/** A place in a chart. */
interface Named {
  readonly engine: string
  readonly x: number | string
  readonly y: number
}

interface Scale {
  readonly of: (y: number) => number
  readonly back: (place: number) => number
}

const LINEAR: Scale = { of: (y) => y, back: (place) => place }
const LOGARITHMIC: Scale = { of: Math.log, back: Math.exp }
/** The height of a line of text over that of a chart. */
const LABEL_SHARE = 0.055

/** Names that would lie on each other, pushed up as far as need be. @param all what the chart shows: its height */
function apart(names: readonly Named[], all: readonly Named[], { of, back }: Scale): Named[] {
  const places = all.map(({ y }) => of(y))
  const distance = (Math.max(...places) - Math.min(...places)) * LABEL_SHARE
  let lowest = Number.NEGATIVE_INFINITY
  return names
    .toSorted((left, right) => left.y - right.y)
    .map((name) => {
      const place = Math.max(of(name.y), lowest)
      lowest = place + distance
      return { ...name, y: back(place) }
    })
}
