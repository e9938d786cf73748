/**
 * Draws docs/how-it-works.svg, the picture of the README: node scripts/picture.mjs
 *
 * It has colours of its own for light and dark screens, and a ground of its own, so that it can be read on any page.
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

const WIDTH = 880
const HEIGHT = 430

const STYLE = `
    .ground { fill: #ffffff; stroke: #d0d7de }
    .band { fill: #f3f5f8; stroke: none }
    .box { fill: #ffffff; stroke: #57606a }
    .live { fill: #2f6f9f }
    .dead { fill: url(#hatch); stroke: #a0a8b2; stroke-width: 0.6 }
    .hole { fill: none; stroke: #a0a8b2; stroke-dasharray: 2 2 }
    .key { fill: #b5651d }
    .way { fill: none; stroke: #2f6f9f; stroke-width: 1.6; marker-end: url(#head) }
    .pointer { fill: none; stroke: #b5651d; stroke-dasharray: 3 3 }
    .work { fill: none; stroke: #57606a; stroke-width: 1.3; marker-end: url(#workhead) }
    .hatching { stroke: #a0a8b2 }
    .wayhead { fill: #2f6f9f }
    .workhead { fill: #57606a }
    text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
    .small { font-size: 12px; fill: #57606a }
    .call { font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #30363d }
      .band { fill: #161b22 }
      .box { fill: #0d1117; stroke: #8b949e }
      .live { fill: #58a6d6 }
      .dead, .hole { stroke: #6e7681 }
      .key { fill: #e0975a }
      .way { stroke: #58a6d6 }
      .pointer { stroke: #e0975a }
      .work { stroke: #8b949e }
      .hatching { stroke: #6e7681 }
      .wayhead { fill: #58a6d6 }
      .workhead { fill: #8b949e }
      text { fill: #e6edf3 }
      .small { fill: #9da7b1 }
    }`

const box = (kind, x, y, width, height, radius = 3) =>
  `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}"/>`
const line = (kind, points) => `<path class="${kind}" d="${points}"/>`
const text = (x, y, words, kind = '', anchor = 'start') =>
  `<text${kind && ` class="${kind}"`} x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`

/** A file with what is in it: widths of what lives (l), is dead (d), is a hole (h) or not written yet (e). */
function file(x, y, width, name, parts) {
  const drawn = [box('box', x, y, width, 40)]
  let at = x + 4
  for (const [kind, length] of parts) {
    const shape = { l: 'live', d: 'dead', h: 'hole' }[kind]
    if (shape) drawn.push(box(shape, at, y + 6, length - 2, 28, 1))
    at += length
  }
  drawn.push(text(x + width / 2, y + 58, name, 'small', 'middle'))
  return drawn
}

/** A level of the tree: tables with keys in them. */
function level(y, name, tables, width) {
  return [
    text(120, y + 15, name, 'small', 'end'),
    ...Array.from({ length: tables }, (_, i) => {
      const x = 132 + i * (width + 6)
      return `${box('box', x, y, width, 20)}${box('key', x + 5, y + 7, width - 10, 6, 1)}`
    }),
  ]
}

export function picture() {
  const parts = [
    box('ground', 0.5, 0.5, WIDTH - 1, HEIGHT - 1, 8),
    box('band', 20, 92, 800, 132, 6),
    box('band', 20, 266, 800, 148, 6),
    text(36, 114, 'the tree: keys, and where their values lie'),
    text(400, 288, 'the value log: each value once'),

    ...level(124, 'level 0', 2, 40),
    ...level(154, 'level 1', 5, 40),
    ...level(184, 'level 2', 10, 40),
    box('box', 668, 128, 136, 60),
    text(736, 154, 'memtable', '', 'middle'),
    text(736, 173, 'in memory', 'small', 'middle'),
    line('work', 'M668 140 H 232'),
    text(450, 134, 'flush', 'small', 'middle'),
    line('work', 'M382 164 Q 470 164 470 180'),
    text(478, 174, 'compaction', 'small'),

    ...file(36, 306, 132, 'what survived', [
      ['l', 30],
      ['l', 40],
      ['l', 22],
      ['l', 32],
    ]),
    ...file(196, 306, 132, 'half dead', [
      ['d', 34],
      ['l', 26],
      ['d', 24],
      ['l', 20],
      ['d', 20],
    ]),
    ...file(356, 306, 132, 'with a hole', [
      ['l', 30],
      ['h', 62],
      ['l', 32],
    ]),
    ...file(516, 306, 132, 'full', [
      ['l', 44],
      ['l', 24],
      ['l', 32],
      ['l', 24],
    ]),
    ...file(676, 306, 128, 'written now', [
      ['l', 30],
      ['l', 24],
      ['l', 26],
    ]),
    line('work', 'M262 372 V 390 H 102 V 370'),
    text(276, 394, 'the collector copies what lives, punches holes, removes what is dead', 'small'),

    line('pointer', 'M151 204 C 151 250 60 250 60 310'),
    line('pointer', 'M289 204 C 289 250 236 250 246 310'),
    line('pointer', 'M427 204 C 427 250 370 250 376 310'),
    line('pointer', 'M790 188 C 790 250 744 250 744 310'),

    box('box', 668, 22, 136, 36, 6),
    text(736, 45, 'put(key, value)', 'call', 'middle'),
    line('way', 'M736 58 V 126'),
    text(726, 82, '2 the key', 'small', 'end'),
    line('way', 'M804 40 H 846 V 326 H 808'),
    text(838, 82, '1 one write', 'small', 'end'),

    box('box', 36, 22, 136, 36, 6),
    text(104, 45, 'get(key)', 'call', 'middle'),
    line('way', 'M104 58 V 90'),
    text(114, 80, '1 where? in memory, nearly always', 'small'),
    line('way', 'M636 224 V 304'),
    text(646, 250, '2 one read, proved', 'small'),
  ]
  const size = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">
  <title>How wisc works</title>
  <style>${STYLE}
  </style>
  <defs>
    <pattern id="hatch" width="5" height="5" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">
      <line class="hatching" x1="0" y1="0" x2="0" y2="5" stroke-width="1.4"/>
    </pattern>
    <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
      <path class="wayhead" d="M0 0 L8 4 L0 8 z"/>
    </marker>
    <marker id="workhead" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
      <path class="workhead" d="M0 0 L8 4 L0 8 z"/>
    </marker>
  </defs>
  ${parts.join('\n  ')}
</svg>
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  fs.writeFileSync(new URL('../docs/how-it-works.svg', import.meta.url), picture())
}
