import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { createAssembler } from '#shared/store/etcd/assemble.ts'
import type { WireObject } from '#shared/store/etcd/wire.ts'
import type { WatchMessage } from '#shared/store/store.ts'

/** A message with events `[revision, key]`; its header tells the newest revision of the store, as in etcd. */
function message(events: readonly (readonly [number, string])[], more: object = {}): WireObject {
  return {
    header: { revision: '900' },
    events: events.map(([revision, key]) => ({
      kv: {
        key: encodeBase64(toBytes(key)),
        mod_revision: `${revision}`,
        create_revision: '1',
        version: '1',
      },
    })),
    ...more,
  }
}

function progress(revision: number): WireObject {
  return { header: { revision: `${revision}` } }
}

function show(messages: Iterable<WatchMessage>): string[] {
  return Array.from(messages, (one) =>
    one.kind === 'revision'
      ? `${one.revision}:${one.events.map(({ kv }) => toText(kv.key)).join('')}`
      : `${one.kind} ${one.revision}`,
  )
}

describe('createAssembler()', () => {
  it('yields every revision of a batch, and goes on behind the last event, not behind the header', () => {
    const assembler = createAssembler(2n)
    assert.deepEqual(
      show(
        assembler.add(
          message([
            [2, 'a'],
            [3, 'b'],
            [3, 'c'],
            [7, 'd'],
          ]),
        ),
      ),
      ['2:a', '3:bc', '7:d'],
    )
    assert.equal(assembler.next, 8n)
  })

  it('holds the last revision of a fragment until it is whole', () => {
    const assembler = createAssembler(2n)
    assert.deepEqual(
      show(
        assembler.add(
          message(
            [
              [2, 'a'],
              [3, 'b'],
            ],
            { fragment: true },
          ),
        ),
      ),
      ['2:a'],
    )
    assert.equal(assembler.next, 3n)
    assert.deepEqual(show(assembler.add(message([[3, 'c']], { fragment: true }))), [])
    // What it says about the whole store says nothing about the half revision.
    assert.deepEqual(show(assembler.add(progress(3))), [])
    assert.deepEqual(
      show(
        assembler.add(
          message(
            [
              [3, 'd'],
              [4, 'e'],
            ],
            { fragment: true },
          ),
        ),
      ),
      ['3:bcd'],
    )
    assert.deepEqual(show(assembler.add(message([[5, 'f']]))), ['4:e', '5:f'])
    assert.equal(assembler.next, 6n)
  })

  it('begins the last revision again after a restart', () => {
    const assembler = createAssembler(2n)
    assert.deepEqual(
      show(
        assembler.add(
          message(
            [
              [2, 'a'],
              [3, 'b'],
            ],
            { fragment: true },
          ),
        ),
      ),
      ['2:a'],
    )
    assembler.restart()
    assert.deepEqual(
      show(
        assembler.add(
          message([
            [3, 'b'],
            [3, 'c'],
          ]),
        ),
      ),
      ['3:bc'],
    )
  })

  it('tells progress, unless it lies behind what was yielded or asked for', () => {
    const assembler = createAssembler(10n)
    assert.deepEqual(show(assembler.add(progress(8))), [])
    assert.equal(assembler.next, 10n)
    assert.deepEqual(show(assembler.add(progress(9))), ['progress 9'])
    assert.deepEqual(show(assembler.add(message([[11, 'a']]))), ['11:a'])
    assert.deepEqual(show(assembler.add(progress(10))), [])
    assert.deepEqual(show(assembler.add(progress(15))), ['progress 15'])
    assert.equal(assembler.next, 16n)
  })

  it('refuses what comes again or too late', () => {
    const again = createAssembler(5n)
    show(again.add(message([[5, 'a']])))
    assert.throws(() => show(again.add(message([[5, 'b']]))), isProtocolError)
    assert.throws(() => show(createAssembler(5n).add(message([[4, 'a']]))), isProtocolError)
    assert.throws(
      () =>
        show(
          createAssembler(5n).add(
            message([
              [7, 'a'],
              [6, 'b'],
            ]),
          ),
        ),
      isProtocolError,
    )
    const passed = createAssembler(5n)
    show(passed.add(progress(9)))
    assert.throws(() => show(passed.add(message([[9, 'a']]))), isProtocolError)
  })

  it('refuses what is no watch message', () => {
    assert.throws(() => show(createAssembler(1n).add({})), isProtocolError)
    assert.throws(() => show(createAssembler(1n).add({ events: [{}] })), isProtocolError)
    assert.throws(() => show(createAssembler(1n).add({ events: 'x' })), isProtocolError)
  })
})

function isProtocolError(error: unknown): boolean {
  return isAvisoError(error, 'ERR_STORE_PROTOCOL')
}
