/** Bundlers, each as its manual says: a program of Node, as one ES module. */
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import * as esbuild from 'esbuild'
import * as rolldown from 'rolldown'
import * as vite from 'vite'
import webpack from 'webpack'

/** What a CommonJS file of the bundle calls. The library imports `createRequire`, too: by another name. */
const REQUIRE =
  "import { createRequire as making } from 'node:module'; const require = making(import.meta.url);"

/** By name: bundles `entry` to the file `out`, without the packages of `external`. */
export const BUNDLERS = {
  esbuild: ({ entry, external, out }) =>
    esbuild.build({
      entryPoints: [entry],
      outfile: out,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external,
      banner: { js: REQUIRE },
      logLevel: 'error',
    }),

  rolldown: ({ entry, external, out }) =>
    rolldown.build({
      input: entry,
      platform: 'node',
      external,
      logLevel: 'silent',
      output: { dir: dirname(out), entryFileNames: basename(out) },
    }),

  vite: ({ entry, external, out }) =>
    vite.build({
      configFile: false,
      logLevel: 'error',
      build: {
        ssr: entry,
        outDir: dirname(out),
        rolldownOptions: { external, output: { entryFileNames: basename(out) } },
      },
      ssr: { noExternal: true, external },
    }),

  webpack: async ({ entry, external, out }) => {
    const compiler = webpack({
      mode: 'production',
      target: 'node20',
      entry,
      experiments: { outputModule: true },
      externalsType: 'node-commonjs',
      externals: external,
      output: { path: dirname(out), filename: basename(out), module: true, chunkFormat: 'module' },
    })
    const stats = await promisify(compiler.run.bind(compiler))()
    if (stats.hasErrors()) throw new Error(stats.toString('errors-only'))
  },
}
