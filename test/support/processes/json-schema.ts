/** Checks values against the JSON schemas of tools/schema. Knows the keywords that they use, and refuses others. */
import fs from 'node:fs'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'

const SCHEMAS = path.join(import.meta.dirname, '../../../tools/schema')

type Schema = Readonly<Record<string, unknown>>

/** What is wrong with a value, each with its place; empty if nothing is. @param name such as `stat` */
export function schemaErrors(name: string, value: unknown): string[] {
  const text = fs.readFileSync(path.join(SCHEMAS, `${name}.json`), 'utf8')
  return check(JSON.parse(text) as Schema, value, '$')
}

type Check = (rule: never, value: unknown, at: string, schema: Schema) => string[]

const OF_OBJECTS = ['required', 'properties', 'additionalProperties']
const SAYS_NOTHING = ['$schema', 'title', 'description', 'contentEncoding']

const CHECKS: Readonly<Record<string, Check>> = {
  type: (rule: string | readonly string[], value, at) =>
    [rule].flat().some((type) => isOfType(value, type)) ? [] : [`${at} is not of type ${rule}`],
  enum: (rule: readonly unknown[], value, at) =>
    rule.some((one) => isDeepStrictEqual(one, value)) ? [] : [`${at} is none of ${rule}`],
  minimum: (rule: number, value, at) =>
    typeof value === 'number' && value < rule ? [`${at} is below ${rule}`] : [],
  pattern: (rule: string, value, at) =>
    typeof value !== 'string' || new RegExp(rule, 'u').test(value) ? [] : [`${at} is not ${rule}`],
  items: (rule: Schema, value, at) =>
    Array.isArray(value) ? value.flatMap((item, i) => check(rule, item, `${at}[${i}]`)) : [],
  required: (rule: readonly string[], value, at) =>
    rule
      .filter((name) => !Object.hasOwn(value as object, name))
      .map((name) => `${at} has no ${name}`),
  properties: (rule: Readonly<Record<string, Schema>>, value, at) =>
    Object.entries(rule).flatMap(([name, schema]) =>
      Object.hasOwn(value as object, name)
        ? check(schema, (value as Record<string, unknown>)[name], `${at}.${name}`)
        : [],
    ),
  additionalProperties: (_rule: false, value, at, schema) =>
    Object.keys(value as object)
      .filter((name) => !Object.hasOwn(schema['properties'] as object, name))
      .map((name) => `${at} has ${name}`),
  oneOf: (rule: readonly Schema[], value, at) => {
    const count = rule.filter((schema) => check(schema, value, at).length === 0).length
    return count === 1 ? [] : [`${at} satisfies ${count} schemas of oneOf`]
  },
  allOf: (rule: readonly Schema[], value, at) => rule.flatMap((schema) => check(schema, value, at)),
}

function check(schema: Schema, value: unknown, at: string): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (SAYS_NOTHING.includes(keyword)) return []
    // These say nothing of what is no object.
    if (OF_OBJECTS.includes(keyword) && !isOfType(value, 'object')) return []
    const known = CHECKS[keyword]
    return known ? known(rule as never, value, at, schema) : [`unknown keyword ${keyword}`]
  })
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}
