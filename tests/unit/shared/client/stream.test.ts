import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import type { Credentials } from '#shared/client/credentials.ts'
import { answer, notificationFrame, openStream } from '../../scripts/aviso/fixture.ts'
import { follow, OPENING, send } from './stream_fixture.ts'

describe('followStream()', () => {
  it('asks for the event and every value of the request', async (context) => {
    const { asked, messages } = await follow(context, {
      steps: [send(OPENING + notificationFrame(1))],
      count: 1,
    })
    assert.equal(
      asked[0]?.url.pathname + (asked[0]?.url.search ?? ''),
      '/api/v1/watch?event=flight&country=italy&airport=FCO&airport=MXP',
    )
    assert.equal(asked[0]?.headers.accept, 'text/event-stream')
    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ['connected', 'progress', 'notification'],
    )
    assert.deepEqual(messages[2], {
      kind: 'notification',
      cursor: 'e.1.0',
      event: {
        id: 'flight@1',
        source: 'http://aviso',
        event: 'flight',
        sequence: '1',
        time: '2026-08-10T12:00:00.000Z',
        request: { date: '20210101', country: 'italy', airport: 'FCO', number: 'AZ1' },
        payload: 'Landed',
      },
    })
  })

  it('goes on behind the last complete event when the connection is cut inside the next one', async (context) => {
    const half = notificationFrame(2).slice(0, 80)
    const { ids, resumes } = await follow(context, {
      steps: [
        send(OPENING + notificationFrame(1) + half, 'cut'),
        send(notificationFrame(2) + notificationFrame(3)),
      ],
      count: 3,
    })
    assert.deepEqual(ids, ['flight@1', 'flight@2', 'flight@3'])
    assert.deepEqual(resumes, [undefined, 'e.1.0'])
  })

  it('drops an event whose last line has come but not its end', async (context) => {
    const unfinished = notificationFrame(2).slice(0, -1)
    const { ids, resumes } = await follow(context, {
      steps: [send(notificationFrame(1) + unfinished, 'close'), send(notificationFrame(2))],
      count: 2,
    })
    assert.deepEqual(ids, ['flight@1', 'flight@2'])
    assert.deepEqual(resumes, [undefined, 'e.1.0'])
  })

  it('reads text that is cut inside a character', async (context) => {
    const bytes = Buffer.from(notificationFrame(1).replace('Landed', 'Zürich'))
    const at = bytes.indexOf(Buffer.from('ü')) + 1
    const { messages } = await follow(context, {
      steps: [
        (response) => {
          openStream(response)
          response.write(bytes.subarray(0, at), () =>
            setTimeout(() => response.write(bytes.subarray(at)), 20),
          )
        },
      ],
      count: 1,
    })
    const last = messages.at(-1)
    assert.equal(last?.kind === 'notification' && last.event.payload, 'Zürich')
  })

  it('says that it is connected with the place of the stream, which is known before the first heartbeat', async (context) => {
    const { messages } = await follow(context, { steps: [send(OPENING + notificationFrame(1))], count: 1 })
    assert.deepEqual(messages[0], { kind: 'connected', cursor: 'e.0' })
    const bare = await follow(context, { steps: [send(notificationFrame(1))], count: 1 })
    assert.deepEqual(bare.messages[0], { kind: 'connected' })
  })

  it('takes positions from heartbeats', async (context) => {
    const heartbeat = 'event: heartbeat\ndata: {}\nid: e.9\n\n'
    const { resumes } = await follow(context, {
      steps: [send(OPENING + heartbeat, 'cut'), send(notificationFrame(10))],
      count: 1,
    })
    assert.deepEqual(resumes, [undefined, 'e.9'])
  })

  it('starts at a cursor, a date or the oldest, and keeps asking for the date until it has a cursor', async (context) => {
    const cursor = await follow(context, {
      steps: [send(notificationFrame(1))],
      options: { start: { kind: 'cursor', cursor: 'e.7' } },
      count: 1,
    })
    assert.deepEqual(cursor.resumes, ['e.7'])
    const date = await follow(context, {
      steps: [send('', 'cut'), send(notificationFrame(1))],
      options: { start: { kind: 'date', date: '2026-08-10T00:00:00.000Z' } },
      count: 1,
    })
    assert.deepEqual(
      date.asked.map(({ url }) => url.searchParams.get('from_date')),
      ['2026-08-10T00:00:00.000Z', '2026-08-10T00:00:00.000Z'],
    )
    const oldest = await follow(context, {
      steps: [send(notificationFrame(1))],
      options: { start: { kind: 'oldest' } },
      count: 1,
    })
    assert.equal(oldest.asked[0]?.url.searchParams.get('from_id'), '0')
  })

  describe('with a gap', () => {
    const gapFrame =
      'event: gap\ndata: {"reason":"history_compacted","message":"history is gone","oldest_position":"e.50"}\n\n'
    const refused = (response: ServerResponse): void =>
      answer(response, 410, { message: 'The position is gone', oldest_position: 'e.50' })

    for (const [what, step] of [
      ['inside the stream', send(OPENING + gapFrame)],
      ['as an answer', refused],
    ] as const) {
      it(`stops and says so (${what})`, async (context) => {
        await assert.rejects(
          follow(context, { steps: [step], count: 1 }),
          (error) =>
            error instanceof ClientError &&
            error.exitCode === 255 &&
            /^Notifications are missing: .* gone\. .*--on-gap continue/.test(error.message),
        )
      })

      it(`goes on with the oldest if it is told to, loudly (${what})`, async (context) => {
        const { resumes, output, ids } = await follow(context, {
          steps: [step, send(notificationFrame(51))],
          options: { onGap: 'continue', start: { kind: 'cursor', cursor: 'e.3' } },
          count: 1,
        })
        assert.deepEqual(resumes, ['e.3', 'e.50'])
        assert.deepEqual(ids, ['flight@51'])
        assert.ok(
          output.logged.some(
            ({ level, message }) => level === 'ERROR' && message.startsWith('Notifications are missing'),
          ),
        )
      })
    }

    it('starts over with everything that is kept where the store was replaced', async (context) => {
      const { asked } = await follow(context, {
        steps: [
          (response) => answer(response, 410, { message: 'The store was replaced' }),
          send(notificationFrame(1)),
        ],
        options: { onGap: 'continue', start: { kind: 'cursor', cursor: 'old.3' } },
        count: 1,
      })
      assert.equal(asked[1]?.url.searchParams.get('from_id'), '0')
      assert.equal(asked[1]?.headers['last-event-id'], undefined)
    })
  })

  for (const [status, address] of [
    [400, ''],
    [403, ''],
    // The only one that can be the address's own fault.
    [404, String.raw` \(http://127\.0\.0\.1:\d+/api/v1/watch\)`],
  ] as const) {
    it(`gives up on ${status} with the message of the service`, async (context) => {
      await assert.rejects(
        follow(context, {
          steps: [(response) => answer(response, status, { message: 'Key day is not allowed' })],
          count: 1,
        }),
        (error) =>
          error instanceof ClientError &&
          new RegExp(`^Not able to listen, status ${status}, Key day is not allowed${address}$`).test(
            error.message,
          ),
      )
    })
  }

  it('reads the key once more after a 401, and gives up if it is the same', async (context) => {
    let key = 'old'
    const credentials: Credentials = {
      headers: () => ({ authorization: `Bearer ${key}` }),
      reload: () => Promise.resolve(key !== (key = 'new')),
    }
    const refuse = (response: ServerResponse): void => answer(response, 401, { message: 'no' })
    const { asked } = await follow(context, {
      steps: [refuse, send(notificationFrame(1))],
      options: { credentials },
      count: 1,
    })
    assert.deepEqual(
      asked.map(({ headers }) => headers.authorization),
      ['Bearer old', 'Bearer new'],
    )
    await assert.rejects(
      follow(context, { steps: [refuse], options: { credentials }, count: 1 }),
      /status 401, no/,
    )
  })

  it('refuses an address that is no such service, and frames that cannot be read', async (context) => {
    await assert.rejects(
      follow(context, { steps: [(response) => response.end('<html>')], count: 1 }),
      /is it an Aviso service\?/,
    )
    for (const data of [
      '{"specversion":"1.0","id":"x"}',
      '{',
      '[]',
      '{"specversion":"1.0","id":"@1","data":{"identifier":{}}}',
    ]) {
      await assert.rejects(
        follow(context, { steps: [send(`event: live-notification\ndata: ${data}\nid: e.1\n\n`)], count: 1 }),
        ClientError,
      )
    }
  })

  it('ignores frames it does not know', async (context) => {
    const { ids } = await follow(context, {
      steps: [send(`event: news\ndata: x\n\n: comment\n\n${notificationFrame(1)}`)],
      count: 1,
    })
    assert.deepEqual(ids, ['flight@1'])
  })

  it('keeps every digit of a payload', async (context) => {
    const frame = notificationFrame(1).replace('"Landed"', '{"size":12345678901234567890}')
    const { messages } = await follow(context, { steps: [send(frame)], count: 1 })
    const last = messages.at(-1)
    assert.deepEqual(last?.kind === 'notification' && last.event.payload, { size: 12345678901234567890n })
  })
})
