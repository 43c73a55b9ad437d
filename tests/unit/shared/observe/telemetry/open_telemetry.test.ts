import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import {
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanOptions,
  type SpanStatus,
} from '@opentelemetry/api'
import { AvisoError } from '#shared/errors.ts'
import { spanPublisher } from '#shared/observe/metrics/span_publisher.ts'
import type { PublishItem } from '#shared/publish/publish.ts'
import { findTracer } from '#shared/observe/telemetry/open_telemetry.ts'
import { isTracingRegistered } from '#shared/observe/telemetry/tracing.ts'

/** A span as a collector would get it. */
interface Recorded {
  readonly name: string
  readonly parent: string | undefined
  readonly attributes: Attributes
  status: SpanStatus | undefined
  ended: boolean
}

/** Registers a provider, as an SDK does, that keeps what it is told. */
function register(): readonly Recorded[] {
  const spans: Recorded[] = []
  const startSpan = (name: string, options: SpanOptions = {}, context?: Context): Span => {
    const parent = context === undefined ? undefined : trace.getSpanContext(context)
    const recorded: Recorded = {
      name,
      parent: parent && `${parent.traceId}-${parent.spanId}`,
      attributes: { ...options.attributes },
      status: undefined,
      ended: false,
    }
    spans.push(recorded)
    const span: Partial<Span> = {
      setAttributes: (more) => {
        Object.assign(recorded.attributes, more)
        return span as Span
      },
      setStatus: (status) => {
        recorded.status = status
        return span as Span
      },
      end: () => {
        recorded.ended = true
      },
    }
    return span as Span
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: () => assert.fail() }) })
  return spans
}

function item(event: string, traceparent?: string): PublishItem {
  const keys = { stem: '/a', base: '/', request: {} }
  const common = { event, keys, value: new Uint8Array(), id: '1', source: 's' }
  return traceparent === undefined ? common : { ...common, traceparent }
}

describe('isTracingRegistered()', () => {
  afterEach(() => trace.disable())

  it('sees the provider of an SDK on the global object, and nothing without one', () => {
    assert.equal(isTracingRegistered({}), false)
    register()
    assert.equal(isTracingRegistered(globalThis), true)
  })
})

describe('findTracer()', () => {
  afterEach(() => trace.disable())

  it('finds none where nobody collects spans', () => {
    assert.equal(findTracer('1'), undefined)
  })

  it("goes on with the provider's trace, and tells what became of the notification", async () => {
    const spans = register()
    const tracer = findTracer('1')
    assert.ok(tracer !== undefined)
    const receipt = {
      event: 'flight',
      key: '/a',
      revision: 5n,
      sequence: 7n,
      committedAt: '',
      replayed: false,
    }
    const publisher = spanPublisher(
      {
        publish: () =>
          Promise.resolve([
            { ok: true, receipt },
            { ok: false, error: new AvisoError('ERR_STORE_UNAVAILABLE', 'no') },
            { ok: true, receipt: { ...receipt, sequence: 8n } },
          ]),
        close: () => Promise.resolve(),
      },
      tracer,
    )
    const context = '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7'
    await publisher.publish([item('flight', `00-${context}-01`), item('mars'), item('flight', 'nonsense')])
    assert.deepEqual(
      spans.map(({ name, parent, attributes, status, ended }) => [
        name,
        parent,
        attributes['messaging.message.id'],
        status?.message,
        ended,
      ]),
      [
        ['publish flight', context, 'flight@7', undefined, true],
        ['publish mars', undefined, undefined, 'ERR_STORE_UNAVAILABLE', true],
        ['publish flight', undefined, 'flight@8', undefined, true],
      ],
    )
  })
})
