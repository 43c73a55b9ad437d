import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { checkRoutes } from '../../../../scripts/serve/known_routes.ts'

function problems(routes: readonly string[], main = configFile.workers.rest.main): readonly string[] {
  const { workers } = configFile
  const file = { ...configFile, workers: { ...workers, rest: { ...workers.rest, routes, main } } }
  return checkRoutes(loadConfig(JSON.stringify(file), 'test'), SERVICE_NAMES)
}

describe('checkRoutes()', () => {
  it('takes the shipped routes, parts of them, and wider ones', () => {
    assert.deepEqual(problems(configFile.workers.rest.routes), [])
    assert.deepEqual(problems(['/api/v1/notification']), [])
    assert.deepEqual(problems(['/*']), [])
    assert.deepEqual(problems(['/api/*']), [])
  })

  it('tells a route at which the service has nothing, with the one that was meant', () => {
    assert.deepEqual(problems(['/', '/api/v1/notifcation']), [
      'workers.rest.routes.1: the service has nothing at "/api/v1/notifcation": did you mean "/api/v1/notification"?',
    ])
    assert.match(problems(['/nope'])[0] ?? '', /"\/nope": it answers at \/, \/api\/v1\/notification/)
  })

  it('leaves the routes of an own module to it', () => {
    assert.deepEqual(problems(['/nope'], './mine.ts'), [])
  })
})
