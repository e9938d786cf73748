/** The buffer of appenders. */
import { expect, test } from 'vitest'
import { AppendBuffer } from '#dist/lib/base/files/append-buffer.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import { bytesOf } from '../../../support/parts/log-segments.ts'

test('an append buffer writes pieces of any size in their order, in few writes', () => {
  const fileSystem = new MemoryFileSystem()
  const file = fileSystem.open('/file', 'create')
  const out = new AppendBuffer(file)
  const pieces = [0, 1, 100, 262_143, 262_144, 262_145, 700_000, 5].map((length, i) =>
    bytesOf(length + 3, i),
  )
  for (const piece of pieces) out.append(piece, 1, piece.length - 2)
  const expected = Buffer.concat(pieces.map((piece) => piece.subarray(1, piece.length - 2)))
  expect(out.length).toBe(expected.length)
  out.flush()
  out.flush()
  expect(Buffer.compare(fileSystem.contents('/file'), expected)).toBe(0)
})
