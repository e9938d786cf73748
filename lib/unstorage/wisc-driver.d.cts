/** The types of `require('wisc/unstorage')`, as lib/index.d.cts has those of `require('wisc')`. */
import type * as unstorage from './wisc-driver.ts' with { 'resolution-mode': 'import' }

export type * from './wisc-driver.ts' with { 'resolution-mode': 'import' }

declare const wiscDriver: typeof unstorage.default

export { wiscDriver as default }
