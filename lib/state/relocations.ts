/** The version's answer to the value reader: which file holds a segment now. */
import type { Relocations } from '../../vlog/read/value-file.ts'
import { holderOf, type Version } from '../tree/version/version.ts'

/** @param view an engine: its version is asked for anew by each read */
export function relocationsOf(view: { readonly version: Version }): Relocations {
  return {
    get count() {
      return view.version.relocations.size
    },
    holderOf(segment) {
      const holder = holderOf(view.version, segment)
      return holder === segment ? undefined : holder
    },
    find: (file) => view.version.relocations.get(file),
  }
}
