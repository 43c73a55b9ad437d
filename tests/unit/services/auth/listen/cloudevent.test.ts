import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { cloudEventText, notificationId } from '#services/auth/listen/cloudevent.ts'
import type { Notification } from '#shared/notification/notification.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { notification } from '../support.ts'
import { BASE_URL } from '../../../../support/system.ts'

interface CloudEvent {
  readonly [name: string]: unknown
  readonly data: { readonly identifier: unknown; readonly payload: unknown }
}

function event(overrides: Partial<Notification> = {}): CloudEvent {
  const text = cloudEventText(notification(overrides), BASE_URL)
  assert.equal(/[\r\n]/.test(text), false, 'one line')
  return JSON.parse(text) as CloudEvent
}

const payloadOf = (value: string): unknown => event({ value: toBytes(value) }).data.payload

describe('notificationId()', () => {
  it('is the number of the notification, or what no client takes for one', () => {
    assert.equal(notificationId(notification()), 'flight@3')
    const { sequence: _sequence, ...foreign } = notification({ index: 2 })
    assert.equal(notificationId(foreign), 'flight@r12.2')
  })
})

describe('cloudEventText()', () => {
  it('has the members of 2.x first, then what it leaves out', () => {
    const text = cloudEventText(
      notification({
        id: 'i',
        source: '/s',
        time: '2026-08-10T00:00:00Z',
        committedAt: '2026-08-10T12:00:00.123Z',
        traceparent: '00-x',
      }),
      BASE_URL,
    )
    assert.equal(
      text,
      '{"specversion":"1.0","id":"flight@3","source":"http://aviso.test","type":"int.ecmwf.aviso.flight",' +
        '"time":"2026-08-10T12:00:00.123Z","datacontenttype":"application/json",' +
        '"dataschema":"http://aviso.test/api/v1/schema/flight",' +
        '"subject":"/tmp/aviso/flight/20260810/italy/FCO/AZ203","revision":"12","providerid":"i","providersource":"/s",' +
        '"providertime":"2026-08-10T00:00:00Z","traceparent":"00-x",' +
        '"data":{"identifier":{"date":"20260810","country":"italy","airport":"FCO","number":"AZ203"},' +
        '"payload":"s3://bucket/object"}}',
    )
  })

  it('leaves out what is not known of a notification of another writer', () => {
    const { sequence: _sequence, ...foreign } = notification()
    const names = Object.keys(JSON.parse(cloudEventText(foreign, BASE_URL)) as object)
    for (const name of ['time', 'providerid', 'providersource', 'providertime', 'traceparent'])
      assert.equal(names.includes(name), false, name)
  })

  it('gives objects and lists digit for digit, and all other text as text', () => {
    const exact = '{"n":9007199254740993,\r\n"x":1.10}'
    const text = cloudEventText(notification({ value: toBytes(exact) }), BASE_URL)
    assert.ok(text.endsWith('"payload":{"n":9007199254740993, "x":1.10}}}'), text)
    assert.deepEqual(payloadOf(' [1,2]'), [1, 2])
    const texts = ['s3://x', '5', 'true', '{broken', '[1,]', '"quoted"', 'line\nend', '\u2028', ' ']
    for (const value of texts) assert.equal(payloadOf(value), value)
  })

  it('writes the fields of a request as JSON does, whatever the one before had', () => {
    const requests: readonly Notification['request'][] = [
      { a: '1', b: '2' },
      { a: '"', b: '\\' },
      { a: '","b":"x', b: '\n' },
      { b: '2', a: '1' },
      { a: 'é', b: '\u2028' },
      { a: '\ud800', b: '\0' },
      { a: '1' },
      { a: '1', b: '2', 'c"d': '3' },
      { a: '1', b: '2', 'c"d': '4' },
      {},
      { '10': 'x', '9': 'y', a: '' },
      { a: '1', b: '2' },
    ]
    // Twice, so that each comes also after one of its own fields.
    for (const request of requests.flatMap((one) => [one, one])) {
      const text = cloudEventText(notification({ request }), BASE_URL)
      assert.ok(text.includes(`"data":{"identifier":${JSON.stringify(request)},"payload":`), text)
    }
  })

  it('says of each what it has itself, where neighbours differ', () => {
    const of = (time: string | undefined, source: string | undefined): unknown[] => {
      const {
        providertime,
        providersource,
        time: own,
      } = event({
        ...(time !== undefined && { time }),
        ...(source !== undefined && { source }),
      })
      return [own, providertime, providersource]
    }
    assert.deepEqual(of('t1', '/a'), ['t1', 't1', '/a'])
    assert.deepEqual(of(undefined, '/a'), [undefined, undefined, '/a'])
    assert.deepEqual(of('t2', undefined), ['t2', 't2', undefined])
    assert.deepEqual(of('t1', '/a'), ['t1', 't1', '/a'])
  })

  it('gives no payload as null', () => {
    assert.equal(payloadOf('None'), null)
    assert.equal(payloadOf(''), null)
  })

  it('stays JSON where the stored bytes are not UTF-8', () => {
    assert.equal(event({ value: new Uint8Array([0x7b, 0xff, 0x7d]) }).data.payload, '{\uFFFD}')
  })
})
