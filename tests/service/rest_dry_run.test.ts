import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PublishOutcome } from '#shared/access/access.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { DISSEMINATION_KEY } from '../support/notifications.ts'
import { dissemination, setUp } from './rest_fixture.ts'

const SCHEMA_2X = {
  notification_schema: {
    report: {
      payload: { required: true },
      topic: { base: 'report', key_order: ['class', 'step'] },
      identifier: { class: { type: 'StringHandler' }, step: { type: 'IntHandler' } },
    },
  },
}

const DRY = 'http://aviso/api/v1/notification?dry_run=true'

function startDry(options: Parameters<typeof setUp>[0] = {}) {
  const started = setUp(options)
  const ask = async (body: unknown, url = DRY, headers: Readonly<Record<string, string>> = {}) => {
    const response = await started.handler(
      new Request(url, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers,
      }),
    )
    return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
  }
  return { ...started, ask }
}

describe('POST /api/v1/notification?dry_run=true', () => {
  it('says the key that would result, and stores nothing', async () => {
    const { ask, calls } = startDry()
    const { status, body } = await ask(dissemination())
    assert.equal(status, 200)
    const { message, status: word, dry_run, key, id } = body
    assert.deepEqual(
      { message, word, dry_run, key, id },
      {
        message: 'Notification is valid; nothing was stored',
        word: 'valid',
        dry_run: true,
        key: DISSEMINATION_KEY,
        id: undefined,
      },
    )
    assert.deepEqual(calls, [])
  })

  it('refuses what publishing refuses, with the same words', async () => {
    const { ask, post } = startDry()
    const wrong = dissemination({ date: 'tomorrow' })
    const dry = await ask(wrong)
    const real = await post(wrong)
    assert.deepEqual(
      [dry.status, dry.body['message'], dry.body['field']],
      [real.status, real.body['message'], real.body['field']],
    )
    assert.equal(dry.status, 400)
  })

  it('lists all that is wrong with the fields, of which publishing names the first', async () => {
    const { ask, post } = startDry()
    const request = { date: 'tomorrow', number: 'AZ1', gate: '4' }
    const wrong = { event_type: 'flight', identifier: request, payload: 'x' }
    const { body } = await ask(wrong)
    assert.equal(body['message'], 'Value tomorrow is not valid for key date')
    assert.deepEqual(body['faults'], [
      {
        field: 'date',
        message: 'Value tomorrow is not valid for key date',
        reason: 'Date attribute is not complying with the format defined',
      },
      { field: 'gate', message: 'Key gate is not allowed' },
      { field: 'country', message: 'Wrong parameters: country required' },
      { field: 'airport', message: 'Wrong parameters: airport required' },
    ])
    const real = await post(wrong)
    assert.deepEqual([real.body['message'], real.body['faults']], [body['message'], undefined])
    // What has no fields that can be read has no list.
    assert.equal('faults' in (await ask({ event_type: 'flight' })).body, false)
  })

  it('lists the faults of an event type of 2.x, and a payload that is missing', async () => {
    const { ask } = startDry({ schemas: createSchemas([{ source: '2x', content: SCHEMA_2X }]) })
    const { body } = await ask({ event_type: 'report', identifier: { step: 'x', colour: 'red' } })
    assert.deepEqual(body['faults'], [
      { field: 'colour', message: "Unknown field 'colour' provided for notify operation" },
      { field: 'class', message: "Required field 'class' missing for notify operation" },
      { field: 'step', message: "Field 'step' must be a valid integer of 64 bits, and not 'x'" },
      { field: 'payload', message: 'Payload is required for this event type, and must not be null' },
    ])
  })

  it('is in no audit log and counts as no refusal, because a form asks at every pause', async () => {
    const recorded: (readonly PublishOutcome[])[] = []
    const refused: string[] = []
    const open = createOpenAccess()
    const access: Parameters<typeof setUp>[0] = {
      access: {
        forPublishing: async (...asked) => ({
          ...(await open.forPublishing(...asked)),
          record: (outcomes: readonly PublishOutcome[]) => void recorded.push(outcomes),
        }),
      },
      onRefused: (code) => void refused.push(code),
    }
    const { ask, post } = startDry(access)
    await ask(dissemination({ date: 'tomorrow' }))
    assert.deepEqual([recorded, refused], [[], []])
    await post(dissemination({ date: 'tomorrow' }))
    assert.deepEqual([recorded.length, refused.length], [1, 1])
  })

  it('takes one notification at a time, and no other word than true and false', async () => {
    const { ask, calls } = startDry()
    assert.equal((await ask([dissemination()])).status, 400)
    assert.equal(
      (await ask(JSON.stringify(dissemination()), DRY, { 'content-type': 'application/x-ndjson' })).status,
      400,
    )
    for (const word of ['1', 'yes', '']) {
      const { status, body } = await ask(dissemination(), DRY.replace('true', word))
      assert.deepEqual([status, body['field']], [400, 'dry_run'], word)
    }
    for (const name of ['dryrun', 'dry-run', 'Dry_run', 'dryRun', 'dry_rum']) {
      const { status, body } = await ask(dissemination(), DRY.replace('dry_run', name))
      assert.deepEqual([status, body['field']], [400, 'dry_run'], name)
    }
    assert.equal((await ask(dissemination(), `${DRY}&dry_run=false`)).status, 400)
    assert.deepEqual(calls, [])
    assert.equal((await ask(dissemination(), DRY.replace('true', 'false'))).body['id'], 'dissemination@1')
  })
})
