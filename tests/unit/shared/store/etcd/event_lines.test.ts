import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { eventLineCut } from '#shared/store/etcd/event_lines.ts'

const EVENTS = [1, 2, 3, 4].map((revision) => ({
  kv: { key: 'YQ==', mod_revision: `${revision}`, value: 'fX0se319LHs=' },
}))
const LINE = JSON.stringify({ result: { header: { revision: '9' }, events: EVENTS } })

describe('eventLineCut', () => {
  it('cuts a line between two events, wherever it breaks off, into lines that have all events once', () => {
    const first = LINE.indexOf('}},{')
    let cuts = 0
    for (let length = 0; length <= LINE.length; length++) {
      const parts = eventLineCut.cut(toBytes(LINE.slice(0, length)))
      assert.equal(parts !== undefined, length >= first + 4, `${length}`)
      if (parts === undefined) continue
      cuts++
      const [line, begun] = parts.map(toText)
      const part = JSON.parse(line ?? '') as { result: { events: unknown[]; fragment?: boolean } }
      const rest = JSON.parse(begun + LINE.slice(length)) as { result: { events: unknown[] } }
      assert.equal(part.result.fragment, true)
      assert.deepEqual(rest.result, { header: { revision: '9' }, events: rest.result.events })
      assert.deepEqual([...part.result.events, ...rest.result.events], EVENTS)
    }
    assert.ok(cuts > 100)
  })

  it('leaves alone what has no second event, or no events', () => {
    const text = `{"result":{"events":[${JSON.stringify(EVENTS[0])}`
    assert.equal(eventLineCut.cut(toBytes(text)), undefined)
    assert.equal(eventLineCut.cut(toBytes('{"error":{"message":"a }},{ b"}}')), undefined)
  })
})
