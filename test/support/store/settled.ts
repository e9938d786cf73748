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

/** Longer than every pause that a store makes by itself. */
const IDLE_MS = 1200

/** Waits until a store on a file system in memory has done nothing for longer than it ever waits. */
export async function idle(fileSystem: { readonly calls: number }): Promise<void> {
  for (let calls = -1; calls !== fileSystem.calls; ) {
    calls = fileSystem.calls
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  }
}
