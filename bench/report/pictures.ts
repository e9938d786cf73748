/**
 * The pictures of bench/README.md, as files that stand for themselves: with their colors, in light and dark, and the
 * day of the run.
 */
import type { Charts } from './charts.ts'
import { colorRules } from './colors.ts'
import type { Figures } from './figures.ts'
import { CROSSINGS, crossingPicture, isShape, pointOf } from './page-charts.ts'

/** A file that can be drawn, and what it shows. */
export interface Picture {
  readonly file: string
  readonly title: string
  readonly draw: (charts: Charts) => string
}

/** With a picture of all engines each. */
const RATED = ['fillrandom', 'overwrite', 'readrandom-sync', 'scan']
const TEXT_COLORS = `svg { color: #1f2328 }
@media (prefers-color-scheme: dark) { svg { color: #e6edf3 } }`
const NAMESPACE = 'http://www.w3.org/2000/svg'

/** Of separated over inline; none where the run has not both at two sizes. */
export function crossoverPictures({ crossovers, runs }: Figures): Picture[] {
  return CROSSINGS.filter(([, workloads]) =>
    crossovers.some(({ workload }) => workloads.includes(workload)),
  ).map(([name, workloads]) => ({
    file: `crossover-${name}.svg`,
    title: `Separated over inline by the size of a value, ${name}`,
    draw: (charts) => alone(crossingPicture(crossovers, workloads, charts), runs),
  }))
}

/** Of operations a second; none where the run has too few sizes. */
export function ratePictures({ cells, runs }: Figures): Picture[] {
  return RATED.flatMap((name): Picture[] => {
    const points = cells
      .filter(({ workload, engine }) => workload === name && !isShape(engine))
      .map(pointOf)
    if (new Set(points.map(({ x }) => x)).size < 2) return []
    const title = `${name}: operations a second`
    const draw = (charts: Charts): string => alone(charts.bySize(points, title), runs)
    return [{ file: `${name}.svg`, title: `${title} by the size of a value`, draw }]
  })
}

/** A picture of a page as one of its own. */
function alone(svg: string, runs: Figures['runs']): string {
  const named = svg.includes(' xmlns="') ? svg : svg.replace('<svg', `<svg xmlns="${NAMESPACE}"`)
  const style = `<!-- ${runs[0]?.date} --><style>${colorRules([])}\n${TEXT_COLORS}</style>`
  return `${named.replace(/^<svg[^>]*>/, (tag) => `${tag}\n${style}\n`)}\n`
}
