/** Waits until a store on a file system in memory does nothing any more by itself. */

/** Turns of the event loop without a call of the file system after which nothing is under way. */
const SETTLED_TURNS = 60

export async function settled(fileSystem: { readonly calls: number }): Promise<void> {
  let calls = -1
  for (let turns = 0; turns < SETTLED_TURNS; turns++) {
    if (calls !== fileSystem.calls) turns = 0
    calls = fileSystem.calls
    await new Promise((resolve) => setImmediate(resolve))
  }
}
