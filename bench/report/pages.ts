/**
 * The folder of a report: `index.html`, `report.md`, and `results.json`, from which both can be made again.
 */
import fs from 'node:fs'
import path from 'node:path'
import { installPackages } from '../harness/packages.ts'
import { DRAWN_BY } from './charts.ts'
import { renderPage } from './page.ts'
import type { Report } from './results.ts'
import { renderText } from './text.ts'

/** @throws Error if what draws cannot be installed; the two other files are there then */
export function writePages(report: Report, directory: string): void {
  const write = (name: string, text: string): void =>
    fs.writeFileSync(path.join(directory, name), text)
  fs.mkdirSync(directory, { recursive: true })
  write('results.json', `${JSON.stringify(report, undefined, 1)}\n`)
  write('report.md', `${renderText(report)}\n`)
  const [missing] = installPackages(DRAWN_BY).values()
  if (missing !== undefined) throw new Error(missing)
  write('index.html', renderPage(report))
  console.log(`report: ${path.join(directory, 'index.html')}`)
}
