/** A replay as its users run it: a child process against a scripted service. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runClient } from '../support/client_program.ts'
import { temporaryFolder } from '../support/server.ts'
import { answer, notificationFrame, openStream, scriptedService } from '../unit/scripts/aviso/fixture.ts'

const COMPLETED = 'event: replay-control\ndata: {"type":"replay_completed"}\nid: e.5000\n\n'

describe('aviso replay', () => {
  it('announces a large replay with its number before anything is handled', async (context) => {
    const service = await scriptedService(context, [
      (response, { url }) => {
        if (url.pathname === '/api/v1/notifications/count')
          return answer(response, 200, { last: '5000', count: 4200 })
        if (url.pathname !== '/api/v1/watch') return answer(response, 404, { message: 'Not found' })
        openStream(response)
        response.write(notificationFrame(4999, { name: 'replay' }) + COMPLETED)
      },
    ])
    const home = await temporaryFolder(context)
    const { code, stdout, stderr } = await runClient(
      ['replay', '--event', 'flight', '--from', '2026-08-01'],
      { home, url: service.url },
    )
    assert.equal(code, 0, stderr)
    assert.match(stdout, /AZ4999/)
    assert.match(stderr, /Replaying 4,200 notifications of flight, since 2026-08-01T00:00:00\.000Z\n/)
    const asked = service.asked.map(({ url }) => url.pathname)
    assert.ok(asked.indexOf('/api/v1/notifications/count') < asked.indexOf('/api/v1/watch'), asked.join())
  })
})
