import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTicket, sealTicket } from '#shared/access/identity/ticket.ts'
import { toText } from '#shared/bytes/bytes.ts'

const CREDENTIAL = 'Bearer a-secret-token'
const sent = new Headers({ authorization: CREDENTIAL, 'x-auth-type': 'ecmwf', accept: '*/*' })
const seal = (principal = 'joe', headers = sent): ReturnType<typeof sealTicket> =>
  sealTicket({ principal, headers, endsAt: 1000 }, () => crypto.randomUUID())

describe('sealTicket()', () => {
  it('gives back the credential to who has the ticket, and no other header', async () => {
    const { ticket, place, sealed } = await seal()
    const read = await readTicket(ticket)
    assert.deepEqual(read?.place, place)
    assert.deepEqual(await read?.open(sealed, 999), { authorization: CREDENTIAL, 'x-auth-type': 'ecmwf' })
  })

  it('leaves a header out that was not sent', async () => {
    const { ticket, sealed } = await seal('joe', new Headers({ authorization: CREDENTIAL }))
    assert.deepEqual(await (await readTicket(ticket))?.open(sealed, 0), { authorization: CREDENTIAL })
  })

  it('ends with its time', async () => {
    const { ticket, sealed } = await seal()
    assert.equal(await (await readTicket(ticket))?.open(sealed, 1000), undefined)
  })

  it('keeps nothing from which the ticket, the credential or the principal can be read', async () => {
    const { ticket, place, sealed } = await seal()
    const kept = `${place.owner} ${place.name} ${toText(sealed)}`
    for (const secret of [CREDENTIAL, 'secret', 'joe', ticket, ticket.slice(-64)])
      assert.equal(kept.includes(secret), false, secret)
  })

  it('opens nothing that was sealed with another ticket, or altered', async () => {
    const [one, other] = [await seal(), await seal()]
    assert.equal(one.place.owner, other.place.owner)
    assert.notEqual(one.place.name, other.place.name)
    const read = await readTicket(other.ticket)
    assert.equal(await read?.open(one.sealed, 0), undefined)
    other.sealed[3] = (other.sealed[3] ?? 0) ^ 1
    assert.equal(await read?.open(other.sealed, 0), undefined)
  })

  it('tells principals apart', async () => {
    assert.notEqual((await seal('["a","joe"]')).place.owner, (await seal('["b","joe"]')).place.owner)
  })
})

describe('readTicket()', () => {
  it('refuses every other text', async () => {
    const { ticket } = await seal()
    for (const text of [
      '',
      'x',
      ticket.slice(1),
      `${ticket}0`,
      ticket.toUpperCase(),
      ` ${ticket}`,
      `${ticket}\n`,
    ])
      assert.equal(await readTicket(text), undefined, JSON.stringify(text))
  })
})
