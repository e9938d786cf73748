/** The types of `require('wisc/keyv')`, as lib/index.d.cts has those of `require('wisc')`. */
import type * as keyv from './keyv-wisc.ts' with { 'resolution-mode': 'import' }

export type * from './keyv-wisc.ts' with { 'resolution-mode': 'import' }

export declare const KeyvWisc: typeof keyv.KeyvWisc
export type KeyvWisc = keyv.KeyvWisc
