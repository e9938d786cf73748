/** The version's answer to the value reader: which file holds a segment now. */
import type { Relocations } from '../../vlog/read/value-file.ts'
import { holderOf, type Version } from '../tree/version/version.ts'

/** @param version the current one, asked for anew by each read */
export function relocationsOf(version: () => Version): Relocations {
  return {
    get count() {
      return version().relocations.size
    },
    holderOf(segment) {
      const holder = holderOf(version(), segment)
      return holder === segment ? undefined : holder
    },
    find: (file) => version().relocations.get(file),
  }
}
