/** The public face as its sources declare it: exported names, and what each of them has. */
import { SOURCES } from './sources.ts'

const FACE = 'lib/index.ts'

export function codeOf(name: string): string {
  return SOURCES.find((source) => source.name === name)!.code
}

/** All names that a program can import from `wisc`. */
export function exportedNames(): string[] {
  const code = codeOf(FACE)
  const listed = [...code.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    names!.split(',').map((name) => name.replace(/^\s*(?:type )?/, '').trim()),
  )
  const whole = [...code.matchAll(/^export type \* from '\.\/(.*)'/gm)].flatMap(([, file]) =>
    declaredIn(codeOf(`lib/${file}`)),
  )
  return [...listed, ...whole, ...declaredIn(code)].filter(Boolean)
}

export function declaredIn(code: string): string[] {
  return [...code.matchAll(/^export (?:interface|type|class|function|const) (\w+)/gm)].map(
    (match) => match[1]!,
  )
}

interface Declared {
  readonly bases: string
  readonly body: string
}

function declarationOf(type: string): Declared | undefined {
  const declared = new RegExp(
    `^export (?:interface|class) ${type}\\b(?:<[^{]*?>)?\\s*(?:extends\\s([^{]*))?\\{(?:\\}|\\n([^]*?)^\\})`,
    'm',
  )
  for (const { name, code } of SOURCES) {
    const found = name.startsWith('lib/') ? declared.exec(code) : null
    if (found) return { bases: found[1] ?? '', body: found[2] ?? '' }
  }
  return undefined
}

/** What an interface of the face has, with what it inherits of others; of names that are no interface, nothing. */
export function membersOf(type: string): string[] {
  const { bases = '', body = '' } = declarationOf(type) ?? {}
  const own = [...body.matchAll(/^ {2}(?:readonly |async )?(\w+)\??(?:: |\(|<)/gm)].map(
    (match) => match[1]!,
  )
  const inherited = [...bases.matchAll(/\b[A-Z]\w*/g)].flatMap(([base]) => membersOf(base))
  return [...new Set([...own, ...inherited])].filter((name) => name !== 'constructor').sort()
}
