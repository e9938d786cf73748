/** As an ES module. Prints what was warned of. */
import * as wisc from 'wisc'
import smoke from './smoke.cjs'

const warnings = await smoke(wisc)
console.log(['import runs', ...warnings].join('\n'))
