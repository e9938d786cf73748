/** The looks of the report: light and dark, from a phone's width on, in colours that can be told apart by everybody. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1c2126; --faint: #59636e; --line: #d5dae0; --panel: #f4f6f8;
  --live: #1b8a68; --pinned: #6f69b5; --hidden: #d9a300; --dead: #d2590a; --other: #8b98a5; --hole: #e8ecf0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181c; --ink: #e6eaee; --faint: #9aa5b1; --line: #333b44; --panel: #1d2329;
    --live: #3db58e; --pinned: #a19be0; --hidden: #e8bd3a; --dead: #f08040; --other: #66727e; --hole: #2a3138;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--page); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif;
}
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0 .6rem; }
.faint { color: var(--faint); font-size: .9rem; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .5rem; margin: 1rem 0; padding: 0;
}
.figures div { background: var(--panel); border-radius: .4rem; padding: .5rem .7rem; }
.figures dt { color: var(--faint); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.legend {
  display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: .4rem 0; list-style: none; font-size: .9rem;
}
.legend svg { width: .8rem; height: .8rem; vertical-align: -.05rem; margin-right: .35rem; }
svg { display: block; }
.legend svg { display: inline; }
.bar { width: 100%; height: 1.4rem; border-radius: .2rem; }
.map { width: 100%; height: auto; }
.rows { display: grid; grid-template-columns: max-content 1fr; gap: .35rem .7rem; align-items: center; }
.rows svg { width: 100%; height: 1rem; }
.rows .label { font-variant-numeric: tabular-nums; white-space: nowrap; }
.rows .note { grid-column: 2; color: var(--faint); font-size: .85rem; margin-top: -.3rem; }
.rows.three { grid-template-columns: max-content 1fr max-content; }
.rows .value { color: var(--faint); font-size: .9rem; text-align: right; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 600; }
th.text, td.text { text-align: left; }
.live { fill: var(--live); } .pinned { fill: var(--pinned); } .hidden { fill: var(--hidden); }
.dead { fill: var(--dead); } .other { fill: var(--other); } .hole { fill: var(--hole); }
.frame { fill: none; stroke: var(--line); stroke-width: 1; }
`
