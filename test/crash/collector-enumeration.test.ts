/** The first half of the crash states of workloads that collect; collector-states.ts says what is held. */
import { enumerateCollecting } from './collector-states.ts'

enumerateCollecting(0)
