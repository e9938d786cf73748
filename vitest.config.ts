/**
 * Tests run against the compiled output in dist/: sources that vitest transforms run hot loops up to eight
 * times slower, and worker threads cannot load TypeScript on Node 20.
 */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    server: { deps: { external: [/\/dist\//] } },
    // Processes, not threads: tests open stores with workers of their own, kill children and set umasks.
    pool: 'forks',
    maxWorkers: 2,
    // What hangs is found; what a busy machine makes slow is not.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
  },
})
