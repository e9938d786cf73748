/**
 * The types of `require('wisc')`: those of the ES module, which TypeScript lets CommonJS name but not import. What has
 * a value is declared here once more; a test holds it against what is exported.
 */
import type * as wisc from './index.ts' with { 'resolution-mode': 'import' }

export type * from './index.ts' with { 'resolution-mode': 'import' }

export declare const open: typeof wisc.open
export declare const WiscError: typeof wisc.WiscError
export type WiscError = wisc.WiscError
export declare const ConflictError: typeof wisc.ConflictError
export type ConflictError = wisc.ConflictError
export declare const CorruptionError: typeof wisc.CorruptionError
export type CorruptionError = wisc.CorruptionError
export declare const IoError: typeof wisc.IoError
export type IoError = wisc.IoError
