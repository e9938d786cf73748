/** Where the code of a worker lies: beside this module, also when both are parts of a bundle. */
export const WORKER_ENTRY: URL = new URL('./worker.js', import.meta.url)
