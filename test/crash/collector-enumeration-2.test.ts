/** The second half of the crash states of workloads that collect: a file of its own, for a core of its own. */
import { enumerateCollecting } from './collector-states.ts'

enumerateCollecting(1)
