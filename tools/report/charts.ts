/** The pictures of the report: inline SVG of shapes only, so that nothing that is to be read gets smaller with them. */
import type { SegmentRow } from '../../lib/inspect/collection/segment-report.ts'
import { deadAndPunched } from '../verb/gc-text.ts'
import { type Html, html } from './html.ts'

/** What a byte on disk can be; also the names of its classes in style.ts. */
export const CONTENTS = ['live', 'pinned', 'hidden', 'dead', 'hole', 'other'] as const
type Content = (typeof CONTENTS)[number]

export interface Share {
  readonly content: Content
  readonly amount: number
}

/** Bars are stretched to their places: a unit of width is a part in so many. */
const BAR_UNITS = 1000

/** A bar of shares, as wide as it is let. @param share of the width that the whole bar takes, 0 to 1 */
export function barChart(label: string, shares: readonly Share[], share = 1): Html {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0)
  const scale = total === 0 ? 0 : (BAR_UNITS * share) / total
  let at = 0
  const parts = shares.map(({ content, amount }) => {
    const width = amount * scale
    const part = html`<rect class="${content}" x="${round(at)}" y="0" width="${round(width)}" height="10"/>`
    at += width
    return part
  })
  return html`<svg class="bar" viewBox="0 0 ${BAR_UNITS} 10" preserveAspectRatio="none" role="img"
 aria-label="${label}">${parts}</svg>`
}

/** A sign of a legend. */
export function sample(content: Content): Html {
  return html`<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${content}" width="10" height="10"/>
<rect class="frame" x=".5" y=".5" width="9" height="9"/></svg>`
}

const CELL_WIDTH = 14
const CELL_HEIGHT = 22
const CELL_GAP = 3
const MAP_COLUMNS = 24

/** A small tank for each file, filled with what is in it from the bottom up. @param titles what each says of itself */
export function segmentTanks(rows: readonly SegmentRow[], titles: readonly string[]): Html {
  const columns = Math.min(MAP_COLUMNS, Math.max(1, rows.length))
  const width = MAP_COLUMNS * (CELL_WIDTH + CELL_GAP)
  const height = Math.ceil(rows.length / columns) * (CELL_HEIGHT + CELL_GAP)
  const tanks = rows.map((row, index) => {
    const x = (index % columns) * (CELL_WIDTH + CELL_GAP)
    const y = Math.floor(index / columns) * (CELL_HEIGHT + CELL_GAP)
    return html`<g transform="translate(${x} ${y})"><title>${titles[index]!}</title>${tank(row)}</g>`
  })
  return html`<svg class="map" viewBox="-1 -1 ${width} ${height + 1}" role="img"
 aria-label="Content of ${rows.length} files of the value log">${tanks}</svg>`
}

function tank(row: SegmentRow): Html[] {
  const shares = contentOf(row)
  const total = shares.reduce((sum, { amount }) => sum + amount, 0)
  let bottom = CELL_HEIGHT
  const parts = shares.map(({ content, amount }) => {
    const height = total === 0 ? 0 : (amount / total) * CELL_HEIGHT
    bottom -= height
    return html`<rect class="${content}" y="${round(bottom)}" width="${CELL_WIDTH}" height="${round(height)}"/>`
  })
  parts.push(html`<rect class="frame" width="${CELL_WIDTH}" height="${CELL_HEIGHT}"/>`)
  return parts
}

/** What is in a file, in bytes. */
export function contentOf(row: SegmentRow): Share[] {
  const pinned = row.pinnedBytes ?? 0
  const hidden = row.hiddenBytes ?? 0
  const { dead, punched } = deadAndPunched(row)
  return [
    { content: 'live', amount: Math.max(0, row.referencedBytes - pinned - hidden) },
    { content: 'pinned', amount: pinned },
    { content: 'hidden', amount: hidden },
    { content: 'dead', amount: dead },
    { content: 'hole', amount: punched },
  ]
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
