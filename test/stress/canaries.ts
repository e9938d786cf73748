/**
 * Canaries: faults that the store once had, put back into a copy of the compiled store, to see that the stress program
 * still finds them. The store itself knows nothing of them.
 *
 *   npm run test:stress -- --canary NAME        must end with "wrong"
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/dist\/$/, '')

export interface Canary {
  readonly name: string
  /** A file below dist/. */
  readonly file: string
  /** Texts of it, each found once, and what is put there. */
  readonly edits: readonly (readonly [taken: string, put: string])[]
}

export const CANARIES: readonly Canary[] = [
  {
    // A replay inserts bytes that it has read again after they were proved.
    name: 'unproved-replay',
    file: 'vlog/log/segment-walk.js',
    edits: [
      ['this.#visit(this.#options.proveValues, visitor);', 'this.#visit(false, visitor);'],
      ["assert(isThere, 'the value was proved with its record');", ''],
      [
        'return this.keyBytes.subarray(end - rawLength, end);',
        `const at = this.#window.view(this.offset, this.header.length) + this.header.headBytes;
        this.keyBytes = this.#window.bytes;
        this.keyEnd = at;
        this.keyStart = at - this.header.keyLength;
        return this.keyBytes.subarray(at, at + this.header.storedLength);`,
      ],
    ],
  },
  {
    // The memtable gets the caller's own memory.
    name: 'borrowed-bytes',
    file: 'lib/writes/taken-bytes.js',
    edits: [['return new Uint8Array(this.#chunk.buffer, at, length);', 'return bytes;']],
  },
  {
    // A reader calls damaged what a writer has taken away since.
    name: 'one-look',
    file: 'lib/reads/failed-places.js',
    edits: [['if (isSeen || !hasMovedOn())', 'if (place)']],
  },
  {
    // Tables that the cache pushes out stay open until the event loop turns.
    name: 'late-descriptors',
    file: 'lib/state/tables.js',
    edits: [['table.lapse();', 'setImmediate(() => table.lapse());']],
  },
]

/** The file with the fault in it. @throws if a text is not found once: then the canary has to follow the code */
export function plantedText({ name, file, edits }: Canary): string {
  let text = readFileSync(join(ROOT, 'dist', file), 'utf8')
  for (const [taken, put] of edits) {
    if (text.split(taken).length !== 2)
      throw new Error(`canary ${name}: not once in ${file}: ${taken}`)
    text = text.replace(taken, () => put)
  }
  return text
}

/** Makes a copy of the compiled project with the fault. @returns the stress program in it */
export function plant(name: string, directory: string): string {
  const canary = CANARIES.find((one) => one.name === name)
  if (!canary) throw new Error(`no canary ${name}; there are ${CANARIES.map((one) => one.name)}`)
  cpSync(join(ROOT, 'dist'), join(directory, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  writeFileSync(join(directory, 'dist', canary.file), plantedText(canary))
  return join(directory, 'dist/test/stress/main.js')
}
