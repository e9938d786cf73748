/** The version's answer to the value reader: which file holds a segment now. */
import type { Relocations } from '../../vlog/read/value-file.ts'
import { relocationCount, type Version } from '../tree/version/version.ts'

/** @param view an engine: its version is asked for anew by each read */
export function relocationsOf(view: { readonly version: Version }): Relocations {
  return {
    get count() {
      return relocationCount(view.version)
    },
    holderOf(segment) {
      const holder = view.version.segments.get(segment)
      return holder === segment ? undefined : holder
    },
    find(number) {
      const file = view.version.files.get(number)
      return file === undefined || file.role === 'log' ? undefined : file
    },
  }
}
