import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BackupPowers } from '#services/admin/backup_routes.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { toFetchHandler } from '#shared/handler.ts'
import { readFrames } from '#shared/http/framed_body.ts'
import { newHostSha256 } from '#shared/runtime/host_sha256.ts'
import type { StoreSnapshot } from '#shared/store/maintenance.ts'
import { createManualClock, settle } from '../support/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { setUp } from './admin_fixture.ts'

const PATH = '/api/v1/admin/backup'
const PIECE = toBytes('0123456789')
const STALLED_MS = 60_000
/** The rest before a piece, after one whose receiver took its time. */
const REST_MS = 64
const SHA256 = '84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882'

/** A store's copy of some pieces, which tells what became of it. */
function scripted(make: () => AsyncIterable<Uint8Array>): BackupPowers & { readonly released: string[] } {
  const released: string[] = []
  const snapshot = async (): Promise<StoreSnapshot> => ({
    revision: 7n,
    sizeBytes: PIECE.length,
    bytes: make(),
    release: async () => void released.push('released'),
  })
  return { power: { backup: { snapshot } }, newSha256: newHostSha256, released }
}

async function* once(): AsyncGenerator<Uint8Array> {
  yield PIECE
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield PIECE
}

async function linesOf(response: Response): Promise<{ lines: Record<string, unknown>[]; bytes: number }> {
  const lines: Record<string, unknown>[] = []
  let bytes = 0
  assert.ok(response.body !== null)
  for await (const part of readFrames(response.body as ReadableStream<Uint8Array>)) {
    if (part.kind === 'bytes') bytes += part.bytes.length
    else lines.push({ ...part.line })
  }
  return { lines, bytes }
}

const request = (): Request => new Request(`http://127.0.0.1${PATH}`, { method: 'POST' })

describe('backups over HTTP', () => {
  it('sends the copy, then its digest, and counts it once its receiver has it', async () => {
    const backups = scripted(once)
    const { service, call, clock } = setUp({ backups })
    const response = await toFetchHandler(service.handle)(request())
    assert.equal(response.headers.get('content-type'), 'application/x-aviso-backup')
    const { lines, bytes } = await linesOf(response)
    assert.equal(bytes, PIECE.length)
    const at = new Date(clock.now()).toISOString()
    assert.deepEqual(lines, [
      { snapshot: { at, revision: '7', size_bytes: 10 } },
      { end: { at, revision: '7', size_bytes: 10, sha256: SHA256 } },
    ])
    assert.deepEqual(backups.released, ['released'])
    assert.equal((await call('GET', '/api/v1/admin/status')).body['backup'], undefined)
    const wrong = await call('POST', `${PATH}/done`, { sha256: 'ff' })
    assert.deepEqual([wrong.status, wrong.body['code']], [409, 'CONFLICT'])
    assert.equal((await call('POST', `${PATH}/done`, { sha256: SHA256 })).status, 200)
    clock.pass(5_000)
    assert.deepEqual((await call('GET', '/api/v1/admin/status')).body['backup'], {
      at,
      age_seconds: 5,
      revision: '7',
      size_bytes: 10,
      sha256: SHA256,
    })
  })

  it('makes one at a time', async () => {
    const { service, call } = setUp({ backups: scripted(once) })
    const first = await toFetchHandler(service.handle)(request())
    const second = await call('POST', PATH)
    assert.equal(second.status, 409)
    assert.match(String(second.body['message']), /backup has been running/)
    await linesOf(first)
    assert.equal((await call('POST', PATH)).status, 200)
  })

  it('says why a store cannot be copied', async () => {
    const refusal = new AvisoError('ERR_READ_ONLY', 'The store is another Aviso: make the backup there')
    const { call } = setUp({ backups: { power: { refusal }, newSha256: newHostSha256 } })
    const { status, body } = await call('POST', PATH)
    assert.deepEqual([status, body['message']], [403, refusal.message])
    assert.equal((await setUp().call('POST', PATH)).status, 404)
  })

  it('ends with the error of a copy that fails on the way, and without a digest', async () => {
    const backups = scripted(async function* () {
      yield PIECE.subarray(0, 4)
      throw new AvisoError('ERR_STORE_UNAVAILABLE', 'gone')
    })
    const { service, call } = setUp({ backups })
    const { lines } = await linesOf(await toFetchHandler(service.handle)(request()))
    assert.deepEqual(
      [Object.keys(lines.at(-1) ?? {}), lines.length, backups.released],
      [['error'], 2, ['released']],
    )
    const { jobs } = (await call('GET', '/api/v1/admin/status')).body as {
      jobs: { backup: { state: string } }
    }
    assert.equal(jobs.backup.state, 'failed')
  })

  for (const leave of ['stops', 'leaves', 'takes too long', 'waits while the service stops'] as const) {
    it(`gives the copy back when its receiver ${leave}`, async () => {
      const clock = createManualClock()
      const backups = scripted(leave === 'takes too long' ? endless : once)
      const { service } = setUp({ backups, clock, store: createMemoryStore({ clock }) })
      const response = await toFetchHandler(service.handle)(request())
      const reader = response.body?.getReader()
      assert.ok(reader !== undefined)
      await reader.read()
      assert.deepEqual(backups.released, [])
      if (leave === 'leaves') await reader.cancel()
      if (leave === 'stops') await clock.advance(STALLED_MS)
      if (leave === 'takes too long') {
        const begun = clock.monotonic()
        await assert.rejects(async () => {
          for (;;) {
            const reading = reader.read()
            // Awaited below, and may fail before.
            reading.catch(() => undefined)
            await settle()
            await clock.advance(REST_MS)
            await reading
            await clock.advance(STALLED_MS - REST_MS - 1)
          }
        }, /took too long/)
        assert.equal(Math.round((clock.monotonic() - begun) / 3_600_000), 4)
      }
      if (leave === 'waits while the service stops') await service.close()
      await settle()
      assert.deepEqual(backups.released, ['released'])
      if (leave === 'stops') await assert.rejects(reader.read(), /The receiver stopped/)
      assert.equal(clock.timers, 0)
      if (leave === 'waits while the service stops') return
      const again = await toFetchHandler(service.handle)(request())
      assert.equal(again.status, 200, 'the next backup begins')
      await again.body?.cancel()
      await service.close()
    })
  }
})
