/** As CommonJS. Prints what was warned of. */
const smoke = require('./smoke.cjs')

smoke(require('wisc')).then((warnings) => console.log(['require runs', ...warnings].join('\n')))
