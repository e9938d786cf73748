/** The block store and the data store of IPFS, and the suites that any of them has to pass. Run by mocha. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelBlockstore } from 'blockstore-level'
import { LevelDatastore } from 'datastore-level'
import { interfaceBlockstoreTests } from 'interface-blockstore-tests'
import { interfaceDatastoreTests } from 'interface-datastore-tests'
import { WiscLevel } from 'wisc/level'

const directory = mkdtempSync(join(tmpdir(), 'wisc-ipfs-'))
after(() => rmSync(directory, { recursive: true }))
let made = 0

function suiteOf(Store) {
  return {
    setup: async () => {
      const options = { keyEncoding: 'utf8', valueEncoding: 'view' }
      const store = new Store(new WiscLevel(join(directory, String(made++)), options))
      await store.open()
      return store
    },
    teardown: (store) => store.close(),
  }
}

describe('blockstore-level', () => interfaceBlockstoreTests(suiteOf(LevelBlockstore)))
describe('datastore-level', () => interfaceDatastoreTests(suiteOf(LevelDatastore)))
