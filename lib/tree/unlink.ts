/** Of lib/base/unlink.ts, under the name that the tree and the store import. */
export { unlinkIfPossible } from '../base/unlink.ts'
