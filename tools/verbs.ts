/** The verbs. Only the one that is named is loaded: most of the time of a short command is that of loading it. */
import type { Verb } from './verb/verb.ts'

/** In the order of --help. */
const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  stat: async () => (await import('./commands/stat.ts')).stat,
  segments: async () => (await import('./commands/segments.ts')).segments,
  map: async () => (await import('./commands/map.ts')).map,
  explain: async () => (await import('./commands/explain.ts')).explain,
  gc: async () => (await import('./commands/gc.ts')).gc,
  top: async () => (await import('./commands/top.ts')).top,
  report: async () => (await import('./commands/report.ts')).report,
  get: async () => (await import('./commands/get.ts')).get,
  put: async () => (await import('./commands/put.ts')).put,
  touch: async () => (await import('./commands/touch.ts')).touch,
  del: async () => (await import('./commands/del.ts')).del,
  scan: async () => (await import('./commands/scan.ts')).scan,
  verify: async () => (await import('./commands/verify.ts')).verify,
  flush: async () => (await import('./commands/flush.ts')).flush,
  compact: async () => (await import('./commands/compact.ts')).compact,
  dump: async () => (await import('./commands/dump.ts')).dump,
  orphans: async () => (await import('./commands/orphans.ts')).orphans,
  salvage: async () => (await import('./commands/salvage.ts')).salvage,
  advise: async () => (await import('./commands/advise.ts')).advise,
  demo: async () => (await import('./commands/demo.ts')).demo,
}

/** What the command line may mean: the verb that it begins with, or any. */
export function loadVerbs([first = '']: readonly string[]): Promise<Verb[]> {
  const named = Object.hasOwn(VERBS, first) ? [VERBS[first]!] : Object.values(VERBS)
  return Promise.all(named.map((load) => load()))
}

/** All words that may stand for a verb. */
export const VERB_NAMES: readonly string[] = [...Object.keys(VERBS), 'completion', 'help']
