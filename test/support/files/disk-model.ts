/**
 * What a disk may hold after a power cut: the fault model of the crash tests.
 *
 *   file:      durable bytes  + pending writes, each of which may persist, or not, or in part,
 *                               and pending holes, each block of which may persist, or not
 *   directory: durable names  + pending operations on names (create, rename, unlink), each persists or not
 *
 * A sync of a file makes the writes and holes durable that were complete when it began, and its size, but never its
 * name: only a sync of the directory does (strict profile; some file systems promise more). A failed sync
 * makes nothing durable, and neither does any later one for the same bytes: the system has marked them as
 * clean. (Names lie in a journal: a later sync of the directory does make them durable.) The model knows
 * nothing of what a running process sees; that is the file system's part
 * (fault-file-system.ts). It is a fold over the log of operations, so a recorded run can be played again up
 * to any operation (crash-states.ts).
 */
import { Content } from './content.ts'

export const ROOT = 0

/** One recorded step. Numbers name files and directories (`node`) and unfinished calls (`call`). */
export type Operation =
  | {
      readonly kind: 'create'
      readonly directory: number
      readonly name: string
      readonly node: number
    }
  | {
      readonly kind: 'makeDirectory'
      readonly directory: number
      readonly name: string
      readonly node: number
    }
  | {
      readonly kind: 'rename'
      readonly directory: number
      readonly name: string
      readonly target: string
      readonly node: number
    }
  | {
      readonly kind: 'unlink'
      readonly directory: number
      readonly name: string
      readonly node: number
    }
  | {
      readonly kind: 'writeBegin'
      readonly call: number
      readonly node: number
      readonly position: number
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'writeEnd'
      readonly call: number
      readonly node: number
      readonly persistent: number
    }
  | {
      readonly kind: 'punch'
      readonly node: number
      readonly position: number
      readonly length: number
    }
  | { readonly kind: 'syncBegin'; readonly call: number; readonly node: number }
  | {
      readonly kind: 'syncEnd'
      readonly call: number
      readonly node: number
      readonly failed: boolean
    }
  | { readonly kind: 'syncDirectoryBegin'; readonly call: number; readonly node: number }
  | {
      readonly kind: 'syncDirectoryEnd'
      readonly call: number
      readonly node: number
      readonly failed: boolean
    }
  | { readonly kind: 'mark'; readonly mark: unknown }

export interface PendingWrite {
  readonly kind: 'write'
  readonly order: number
  readonly call: number
  readonly position: number
  /** Cut off when a failed write got only so far. */
  bytes: Uint8Array
  /** When it was complete; Infinity while it is in flight. A sync covers it if it began after. */
  completeAt: number
  /** A sync that covered it has failed: no later one will make it durable. */
  lost: boolean
}

/** A range of whole blocks that became holes. It is complete as soon as it is asked for. */
export interface PendingPunch {
  readonly kind: 'punch'
  readonly order: number
  readonly position: number
  readonly length: number
  readonly completeAt: number
  /** As for a write. */
  lost: boolean
}

export interface PendingName {
  readonly order: number
  readonly operation: Extract<Operation, { readonly name: string }>
}

export interface FileNode {
  readonly kind: 'file'
  durable: Content
  readonly pending: (PendingWrite | PendingPunch)[]
}

export interface DirectoryNode {
  readonly kind: 'directory'
  readonly durable: Map<string, number>
  readonly pending: PendingName[]
}

/** The names and bytes of a whole tree, paths from `/` on. Never changed once made. */
export interface DiskImage {
  readonly directories: readonly string[]
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Numbers of the blocks that are holes, for the files that have any. */
  readonly holes?: ReadonlyMap<string, readonly number[]>
}

export type Profile = 'strict' | 'lenient'

export class DiskModel {
  readonly profile: Profile
  readonly nodes: Map<number, FileNode | DirectoryNode> = new Map()
  #order = 0
  /** When each unfinished sync began. */
  readonly #syncs: Map<number, number> = new Map()

  constructor(profile: Profile = 'strict') {
    this.profile = profile
    this.nodes.set(ROOT, { kind: 'directory', durable: new Map(), pending: [] })
  }

  file(node: number): FileNode {
    const found = this.nodes.get(node)
    if (found?.kind !== 'file') throw new Error(`node ${node} is no file`)
    return found
  }

  directory(node: number): DirectoryNode {
    const found = this.nodes.get(node)
    if (found?.kind !== 'directory') throw new Error(`node ${node} is no directory`)
    return found
  }

  apply(operation: Operation): void {
    const order = this.#order++
    switch (operation.kind) {
      case 'create':
        this.nodes.set(operation.node, { kind: 'file', durable: new Content(), pending: [] })
        break
      case 'makeDirectory':
        this.nodes.set(operation.node, { kind: 'directory', durable: new Map(), pending: [] })
        break
      case 'writeBegin': {
        const { call, position, bytes } = operation
        this.file(operation.node).pending.push({
          kind: 'write',
          order,
          call,
          position,
          bytes,
          completeAt: Number.POSITIVE_INFINITY,
          lost: false,
        })
        return
      }
      case 'writeEnd':
        this.#endWrite(operation, order)
        return
      case 'punch': {
        const { node, position, length } = operation
        const times = { order, completeAt: order }
        this.file(node).pending.push({ kind: 'punch', ...times, position, length, lost: false })
        return
      }
      case 'syncBegin':
      case 'syncDirectoryBegin':
        this.#syncs.set(operation.call, order)
        return
      case 'syncEnd':
        this.#endSync(operation)
        return
      case 'syncDirectoryEnd':
        this.#endDirectorySync(operation)
        return
      case 'mark':
        return
      case 'rename':
      case 'unlink':
        break
    }
    this.directory(operation.directory).pending.push({ order, operation })
  }

  #endWrite(
    { node, call, persistent }: Extract<Operation, { kind: 'writeEnd' }>,
    order: number,
  ): void {
    const pending = this.file(node).pending
    const write = pending.find((one) => one.kind === 'write' && one.call === call)
    if (write?.kind !== 'write') throw new Error(`no write with call ${call}`)
    write.completeAt = order
    if (persistent === 0) pending.splice(pending.indexOf(write), 1)
    else write.bytes = write.bytes.subarray(0, persistent)
  }

  #endSync({ node, call, failed }: Extract<Operation, { kind: 'syncEnd' }>): void {
    const file = this.file(node)
    const began = this.#syncs.get(call)!
    for (let i = 0; i < file.pending.length; ) {
      const change = file.pending[i]!
      if (change.completeAt > began || change.lost) {
        i++
      } else if (failed) {
        change.lost = true
        i++
      } else {
        if (change.kind === 'write') file.durable.write(change.bytes, change.position)
        else file.durable.punch(change.position, change.length)
        file.pending.splice(i, 1)
      }
    }
    if (this.profile === 'lenient' && !failed) this.#nameDurable(node)
  }

  #nameDurable(node: number): void {
    for (const directory of this.nodes.values()) {
      if (directory.kind !== 'directory') continue
      for (let i = 0; i < directory.pending.length; i++) {
        const { operation } = directory.pending[i]!
        if (operation.kind !== 'create' || operation.node !== node) continue
        applyName(directory.durable, operation)
        directory.pending.splice(i--, 1)
      }
    }
  }

  #endDirectorySync({
    node,
    call,
    failed,
  }: Extract<Operation, { kind: 'syncDirectoryEnd' }>): void {
    const directory = this.directory(node)
    const began = this.#syncs.get(call)!
    for (let i = 0; i < directory.pending.length && !failed; ) {
      const { order, operation } = directory.pending[i]!
      if (order > began) {
        i++
      } else {
        applyName(directory.durable, operation)
        directory.pending.splice(i, 1)
      }
    }
  }
}

/** Carries an operation on a name out on a set of names. */
export function applyName(
  names: Map<string, number>,
  operation: PendingName['operation'],
  keepSource: boolean = false,
): void {
  switch (operation.kind) {
    case 'create':
    case 'makeDirectory':
      names.set(operation.name, operation.node)
      return
    case 'unlink':
      if (names.get(operation.name) === operation.node) names.delete(operation.name)
      return
    case 'rename':
      names.set(operation.target, operation.node)
      if (!keepSource && names.get(operation.name) === operation.node) names.delete(operation.name)
  }
}
