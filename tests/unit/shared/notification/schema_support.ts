/** Schemas for the tests of this folder. */

import assert from 'node:assert/strict'
import { isAvisoError } from '#shared/errors.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { createSchemas, type Schemas } from '#shared/notification/schema.ts'

export function builtins(): Schemas {
  return createBuiltinSchemas()
}

/** An event type with text fields only. */
export function event(base: string, stem: string, extra: object = {}): object {
  const names = [...`${base}${stem}${JSON.stringify(extra)}`.matchAll(/\{(\w+)\}/g)].map(
    (match) => match[1] ?? '',
  )
  return {
    endpoint: [{ engine: ['etcd_rest'], base, stem, ...extra }],
    request: Object.fromEntries(names.map((name) => [name, [{ type: 'StringHandler' }]])),
  }
}

export function schemasOf(...contents: object[]): Schemas {
  return createSchemas(contents.map((content, index) => ({ source: `file${String(index)}.json`, content })))
}

export function refuses(contents: unknown[], pattern: RegExp): void {
  assert.throws(
    () => createSchemas(contents.map((content, index) => ({ source: `file${String(index)}.json`, content }))),
    (error) => {
      assert.ok(isAvisoError(error, 'ERR_CONFIG'), String(error))
      assert.match(error.message, pattern)
      return true
    },
  )
}

export function invalid(request: Record<string, unknown>, message: string | RegExp, field: string): void {
  assert.throws(
    () => builtins().require('dissemination').encode(request),
    (error) => {
      assert.ok(isAvisoError(error, 'ERR_INVALID_NOTIFICATION'), String(error))
      if (typeof message === 'string') assert.equal(error.message, message)
      else assert.match(error.message, message)
      assert.equal(error.details['field'], field)
      return true
    },
  )
}
