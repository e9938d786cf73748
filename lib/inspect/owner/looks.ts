/** The rule by which a look at a store beside its writer is made again, for the command. */
export { Looks } from '../../reads/look-again.ts'
