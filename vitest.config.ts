/**
 * Tests run against the compiled output in dist/: sources that vitest transforms run hot loops up to eight
 * times slower, and worker threads cannot load TypeScript on Node 20.
 */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that change or count what belongs to the whole process, start others, or fill its memory: a process each. What
 * is left of their folders has its stores in memory, and takes a process longer to compile than many of them to run.
 */
const APART = [
  'test/{examples,stress,tools}/**/*.test.ts',
  'test/crash/kills/*.test.ts',
  'test/store/!(damage|garbled-reads).test.ts',
  'test/store/{compression,ranges,streams}/**/*.test.ts',
  // What all stores of a process share: threads, buffers, files that are open, what was loaded or told once.
  'test/lib/jobs/**/*.test.ts',
  'test/lib/base/**/{buffer-pool,open-cache}.test.ts',
  'test/lib/base/platform/{native-extensions,node-file-system,read-helper}.test.ts',
  'test/lib/contract/events.test.ts',
  'test/bench/measure.test.ts',
]

/** Those of each project that take longest, in this order: none of them is left alone at the end. */
const LONGEST = [
  'test/crash/faults',
  'test/crash/enumeration',
  'test/store/collector/space',
  'test/crash/',
  'test/store/model/',
  'test/store/damage',
  'test/tools/',
  'test/stress/',
]

class LongestFirst extends BaseSequencer {
  /** Project by project, so that a process goes on with files of its own. */
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId, project }: TestSpecification): number => {
      const found = LONGEST.findIndex((name) => moduleId.includes(`/${name}`))
      const rank = found < 0 ? LONGEST.length : found
      return project.name === 'apart' ? rank : rank + LONGEST.length + 1
    }
    const sorted = await super.sort(specifications)
    return sorted.toSorted((left, right) => place(left) - place(right))
  }
}

export default defineConfig({
  test: {
    server: { deps: { external: [/\/dist\//] } },
    setupFiles: 'test/support/equal-bytes.ts',
    // Processes, not threads: tests open stores with workers of their own, kill children and set umasks.
    pool: 'forks',
    // One more than there are cores: while a file waits for a disk or a child, another one computes.
    maxWorkers: availableParallelism() + 1,
    // Stores that are opened thousands of times leave much garbage: fewer collections of it, a tenth of such tests.
    execArgv: ['--min-semi-space-size=32', '--max-semi-space-size=32'],
    sequence: { sequencer: LongestFirst },
    // What hangs is found; what a busy machine makes slow is not.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    // No file leaves anything to those that share its process.
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    projects: [
      { extends: true, test: { name: 'apart', include: APART } },
      {
        extends: true,
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: APART, isolate: false },
      },
    ],
  },
})
