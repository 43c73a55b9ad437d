/**
 * What the benchmark posts: CloudEvents of the ECMWF schema, all with different keys.
 *
 * @module
 */

/** Event type of everything that is posted. */
export const EVENT = 'mars'

/** Experiments that notifications are spread over: as many as there are listeners with a filter of their own. */
export const EXPERIMENTS = 10_000

/** Makes notifications. No two of one maker have the same key. */
export interface NotificationMaker {
  /** A CloudEvent of some 480 bytes. */
  next(payload?: string): string
  /** A JSON batch of CloudEvents. */
  batch(size: number, payload?: string): string
  /** Made so far. */
  readonly count: number
}

/** The n-th notification belongs to experiment `n % EXPERIMENTS`. */
export function createNotifications(): NotificationMaker {
  let count = 0
  const next = (payload?: string): string => {
    const n = count++
    const request = `{"class":"od","date":"20260810","domain":"g","expver":"${n % EXPERIMENTS}","step":"${Math.floor(n / EXPERIMENTS)}","stream":"oper","time":"0"}`
    return `{"specversion":"1.0","id":"${crypto.randomUUID()}","source":"/bench/provider","type":"aviso","time":"2026-08-10T00:00:00.000Z","datacontenttype":"application/json","data":{"event":"${EVENT}","request":${request},"location":"${payload ?? location(n)}"}}`
  }
  return {
    next,
    batch: (size, payload) => `[${Array.from({ length: size }, () => next(payload)).join(',')}]`,
    get count() {
      return count
    },
  }
}

/** A location of the usual length. */
export function location(n: number): string {
  return `s3://data.example.int/mars/od/20260810/00/oper/g/${String(n).padStart(10, '0')}.grib2`
}

/** A location that says when it was made, for listeners that measure how long it took. */
export function timedLocation(): string {
  return `s3://data.example.int/mars/od/20260810/00/oper/g/x.grib2?t=${monotonicMs().toFixed(3)}`
}

/** The clock of {@link timedLocation}: milliseconds, the same in every process of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Key and value of the size that one such notification has in the store, for bare puts. */
export function bareText(n: number): { readonly key: string; readonly value: string } {
  const key = `/bench/bare/date=20260810,class=od,expver=${String(n).padStart(8, '0')},domain=g,time=00,stream=oper,step=1`
  return { key, value: location(n) }
}

/** The same in base64. */
export function bareKeyValue(n: number): { readonly key: string; readonly value: string } {
  const { key, value } = bareText(n)
  return { key: btoa(key), value: btoa(value) }
}
