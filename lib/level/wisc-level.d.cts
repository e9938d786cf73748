/** The types of `require('wisc/level')`, as lib/index.d.cts has those of `require('wisc')`. */
import type * as level from './wisc-level.ts' with { 'resolution-mode': 'import' }

export type * from './wisc-level.ts' with { 'resolution-mode': 'import' }

export declare const WiscLevel: typeof level.WiscLevel
export type WiscLevel<K = string, V = string> = level.WiscLevel<K, V>
