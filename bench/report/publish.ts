/**
 * From the results of runs to what the project shows of them: bench/figures.json, the made parts of the pages, and the
 * costs by which `wisc advise` advises. A test holds the pages against bench/figures.json.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installPackages } from '../harness/packages.ts'
import { benchPage } from './bench-page.ts'
import { Charts, DRAWN_BY } from './charts.ts'
import { costsFile } from './costs.ts'
import { type Figures, figuresOf, readFigures, showFigures } from './figures.ts'
import { frontPage } from './front-page.ts'
import { crossoverPictures, ratePictures } from './pictures.ts'
import type { Report } from './results.ts'
import { fillSections } from './sections.ts'

/** Seen from dist/bench/report. */
const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url))

/** Of the project: the figures, and what is made of them. */
export const FIGURES_FILE = 'bench/figures.json'
export const PICTURES_FOLDER = 'bench/figures'
const COSTS_FILE = 'lib/inspect/measured-costs.ts'
const PAGES: Readonly<Record<string, (figures: Figures) => Record<string, string>>> = {
  'README.md': frontPage,
  'bench/README.md': benchPage,
}

/**
 * Writes the figures of these runs together, and all that is made of them. Without any run the figures stay as they
 * are: for who changed what pages say of them.
 * @throws Error if what draws cannot be installed; everything else is written then
 */
export function publish(reports: readonly Report[]): void {
  const figures =
    reports.length > 0 ? figuresOf(reports) : readFigures(path.join(ROOT, FIGURES_FILE))
  const text = showFigures(figures)
  // What is shown has the digits that are written.
  const shown = JSON.parse(text) as Figures
  const files = publishedFiles(shown)
  for (const [name, content] of [[FIGURES_FILE, text] as const, ...files]) write(name, content)
  if (!files.has(COSTS_FILE)) {
    console.log(`${COSTS_FILE} stays: the runs have not all that it is made of, both ways`)
  }
  const [missing] = installPackages(DRAWN_BY).values()
  if (missing !== undefined) throw new Error(missing)
  const charts = new Charts()
  fs.rmSync(path.join(ROOT, PICTURES_FOLDER), { recursive: true, force: true })
  for (const { file, draw } of [...ratePictures(shown), ...crossoverPictures(shown)]) {
    write(`${PICTURES_FOLDER}/${file}`, draw(charts))
  }
}

function write(name: string, content: string): void {
  const file = path.join(ROOT, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, content)
  console.log(name)
}

/** All files that show these figures, as they should be now, by their names in the project. */
export function publishedFiles(figures: Figures): Map<string, string> {
  const files = new Map<string, string>()
  for (const [name, parts] of Object.entries(PAGES)) {
    files.set(name, fillSections(fs.readFileSync(path.join(ROOT, name), 'utf8'), parts(figures)))
  }
  const costs = costsFile(figures)
  if (costs !== undefined) files.set(COSTS_FILE, costs)
  return files
}
