import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig, SERVICE_NAMES, type ServiceName } from '#services/system/settings.ts'
import { firstSteps } from '../../../../scripts/serve/first_steps.ts'

const USUAL_URL = 'http://127.0.0.1:8080'
const SKY = {
  source: 'own.json',
  content: {
    notification_schema: {
      sky: {
        topic: { base: 'sky', key_order: ['class', 'step'] },
        identifier: {
          class: { type: 'StringHandler', required: true },
          step: { type: 'IntHandler', required: false },
        },
      },
    },
  },
}
const TOKENS = {
  providers: [{ kind: 'tokens', tokens: [{ username: 'u', realm: 'r', secretEnv: 'U' }] }],
}

interface Given {
  readonly vars?: object
  readonly services?: readonly ServiceName[]
  readonly url?: string
}

function stepsOf({ vars = {}, services = SERVICE_NAMES, url = USUAL_URL }: Given): string {
  const text = JSON.stringify({ ...configFile, vars: { ...configFile.vars, ...vars } })
  const config = loadConfig(text, 'file.json')
  return firstSteps({ url, config, services, schemaFiles: [SKY] }).join('\n')
}

describe('firstSteps()', () => {
  it('names the example where its event type is there', () => {
    assert.match(stepsOf({}), /^Listen: .*flight\.yaml .*\nPublish: .*event=flight,country=.*\nLook: /)
    assert.match(
      stepsOf({ url: 'unix:/run/a' }),
      /^Listen: +curl -N --unix-socket \/run\/a '.*event=flight'$/,
    )
  })

  it('names an event type that there is, with the fields that must be given', () => {
    const steps = stepsOf({ vars: { schemas: ['own.json'] } })
    assert.match(steps, /listen --event sky class=… .*watch\?event=sky&class=…'/)
    assert.match(steps, /notify event=sky,class=…(?:,step=…)?$/m)
    assert.doesNotMatch(steps, /flight/)
  })

  it('says where to put a token, where one is wanted', () => {
    const steps = stepsOf({ vars: { identity: TOKENS, policy: { public: { listen: ['flight'] } } } })
    assert.match(steps, /^Token: .*AVISO_TOKEN.*--token-file/)
    assert.match(steps, /curl -N -H "Authorization: Bearer \$AVISO_TOKEN" '/)
    assert.doesNotMatch(stepsOf({}), /AVISO_TOKEN|Bearer/)
  })

  it('leaves out what the services that were started do not do', () => {
    assert.match(stepsOf({ services: ['rest'] }), /^Publish: [^\n]*$/)
    assert.match(stepsOf({ services: ['auth'] }), /^Listen: .*\nLook: .*$/)
    assert.equal(stepsOf({ services: ['monitoring'] }), '')
  })
})
