import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTrigger } from '../../../../../scripts/aviso/triggers/create_trigger.ts'
import { TriggerError } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { answer, never, notification, scriptedService, triggerHost } from '../fixture.ts'
import { eventually } from '../../../../support/waiting.ts'

const post = (protocol: object) =>
  createTrigger({ type: 'post', protocol: { type: 'cloudevents_http', ...protocol } }, triggerHost())

describe('post trigger', () => {
  it('says when the notification was stored, and not when it is sent', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 503, {})])
    const clock = createManualClock(Date.UTC(2026, 7, 10, 12))
    const protocol = { type: 'CloudEvents_HTTP', url: service.url }
    const trigger = createTrigger({ type: 'post', protocol }, { ...triggerHost(), clock })
    const [timed, untimed] = [notification({ time: '2026-08-09T01:02:03.456Z' }), notification()]
    for (const input of [timed, untimed, timed, untimed]) {
      await assert.rejects(trigger.run(input, never))
      await clock.advance(60_000)
    }
    assert.deepEqual(
      service.asked.map(({ body }) => (JSON.parse(body) as { readonly time: string }).time),
      // Where the service does not know the time, it is that of the first attempt.
      ['2026-08-09T01:02:03Z', '2026-08-10T12:01:00Z', '2026-08-09T01:02:03Z', '2026-08-10T12:01:00Z'],
    )
  })

  for (const [header, ms] of [
    ['7', 7_000],
    ['Mon, 10 Aug 2026 12:01:00 GMT', 60_000],
    // Five minutes are the most.
    ['86400', 300_000],
    ['soon', undefined],
  ] as const) {
    it(`heeds Retry-After: ${header}`, async (context) => {
      const service = await scriptedService(context, [
        (response) => answer(response, 429, {}, { 'retry-after': header }),
      ])
      await assert.rejects(
        post({ url: service.url }).run(notification(), never),
        (error) => error instanceof TriggerError && error.retryable && error.retryAfterMs === ms,
      )
    })
  }

  it('sends a CloudEvent with the headers of its options', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 200, {})])
    await post({ url: service.url, headers: { 'X-TEST': 'a', 'Content-Type': 'text/plain' } }).run(
      notification(),
      never,
    )
    const [asked] = service.asked
    assert.equal(asked?.headers['x-test'], 'a')
    assert.equal(asked?.headers['content-type'], 'application/cloudevents+json')
    const { id, ...body } = JSON.parse(asked?.body ?? '') as { readonly id: string }
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.deepEqual(body, {
      specversion: '1.0',
      source: 'https://aviso.ecmwf.int',
      type: 'aviso',
      time: '2026-08-10T12:00:00Z',
      data: { event: 'flight', request: notification().request, payload: 'Landed' },
    })
  })

  it("goes on with the provider's trace", async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 200, {})])
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await post({ url: service.url }).run(notification({ traceparent }), never)
    await post({ url: service.url }).run(notification(), never)
    assert.deepEqual(
      service.asked.map(({ headers }) => headers['traceparent']),
      [traceparent, undefined],
    )
  })

  it('has one id per notification, so that a receiver recognises a repetition', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 202, {})])
    const trigger = post({ url: service.url, cloudevents: { type: 't', source: 's' } })
    for (const input of [
      notification(),
      notification(),
      notification({ id: 'flight@8' }),
      notification({ source: 'http://other' }),
    ]) {
      await trigger.run(input, never)
    }
    const [first, again, next, other] = service.asked.map(
      ({ body }) => (JSON.parse(body) as { readonly id: string }).id,
    )
    assert.equal(first, again)
    assert.equal(new Set([first, next, other]).size, 3)
  })

  for (const [status, succeeds, retryable] of [
    [200, true, false],
    [201, true, false],
    [204, true, false],
    [301, false, false],
    [400, false, false],
    [413, false, false],
    [422, false, false],
    [408, false, true],
    [429, false, true],
    [500, false, true],
    [503, false, true],
  ] as const) {
    it(`takes ${status} for ${succeeds ? 'success' : retryable ? 'a failure that may pass' : 'a refusal'}`, async (context) => {
      const service = await scriptedService(context, [
        (response) => {
          response.writeHead(status, { location: '/elsewhere' })
          response.end()
        },
      ])
      const run = post({ url: service.url }).run(notification(), never)
      if (succeeds) await run
      else
        await assert.rejects(run, (error) => {
          assert.ok(error instanceof TriggerError && error.retryable === retryable)
          // These are about this one notification, and the others about the receiver.
          assert.equal(error.isPoison, status === 413 || status === 422)
          return true
        })
      assert.equal(service.asked.length, 1)
    })
  }

  it('has a time limit', async (context) => {
    const service = await scriptedService(context, [() => undefined])
    const clock = createManualClock()
    const protocol = { type: 'cloudevents_http', url: service.url, timeout: '30' }
    const trigger = createTrigger({ type: 'post', protocol }, { ...triggerHost(), clock })
    const posting = assert.rejects(
      trigger.run(notification(), never),
      (error) =>
        error instanceof TriggerError && error.retryable && /no answer within 30 s/.test(error.message),
    )
    await eventually('it is asked', async () => service.asked.length === 1)
    await clock.advance(30_000)
    await posting
  })

  it('says that nobody listens', async () => {
    await assert.rejects(
      post({ url: 'http://127.0.0.1:1/' }).run(notification(), never),
      /cannot reach http:\/\/127\.0\.0\.1:1\/: /,
    )
  })

  it('refuses protocols and addresses it does not speak', () => {
    assert.throws(() => post({ type: 'smtp' }), /Protocol type smtp not recognised/)
    assert.throws(() => post({ url: 'file:///etc/passwd' }), /must be an http or https address/)
  })
})
