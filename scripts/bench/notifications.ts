/**
 * Makes the notifications of the benchmark: CloudEvents of the ECMWF schema, all with different keys.
 *
 * @module
 */

/** The event type of all notifications. */
export const EVENT = 'mars'

/** Number of experiments among the notifications: as many as the listeners with different filters. */
export const EXPERIMENTS = 10_000

/** Makes notifications. No two of one maker have the same key. */
export interface NotificationMaker {
  /** A CloudEvent of about 480 bytes. */
  next(payload?: string): string
  /** A JSON batch of CloudEvents. */
  batch(size: number, payload?: string): string
  /** Number of notifications made so far. */
  readonly count: number
}

/** Days from which {@link numberedNotification} takes one. */
const DAYS = 9_000

/** A location of the usual length that says which post of the generator it is of. */
export const NUMBERED_LOCATION = 's3://data.example.int/mars/od/20260810/00/oper/g/x.grib2?t=@@@@@@@@@@'

/** A notification in which the generator puts numbers. Each of a load has a key and an id of its own, and so, most likely, has each load. */
export function numberedNotification(): string {
  return numbered('@@@@', '@@@@@')
}

/** Number of experiments among {@link dailyNotification}s. */
export const EXPERIMENTS_OF_A_DAY = 1_000

/** The same, of one experiment after the other. A hundred thousand of a load have different keys. */
export function dailyNotification(): string {
  return numbered('0@@@', '@@@@@')
}

function numbered(expver: string, step: string): string {
  const load = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0
  const date = new Date(Date.UTC(2000, 0, 1 + (load % DAYS))).toISOString().slice(0, 10).replaceAll('-', '')
  return `{"specversion":"1.0","id":"bench-${load}-##########","source":"/bench/provider","type":"aviso","time":"2026-08-10T00:00:00.000Z","datacontenttype":"application/json","data":{"event":"${EVENT}","request":{"class":"od","date":"${date}","domain":"g","expver":"${expver}","step":"${step}","stream":"oper","time":"0"},"location":"${NUMBERED_LOCATION}"}}`
}

/** A JSON batch of {@link numberedNotification}. */
export function numberedBatch(size: number): string {
  const one = numberedNotification()
  return `[${Array.from({ length: size }, () => one).join(',')}]`
}

/** Makes a maker. Its n-th notification belongs to experiment `n % EXPERIMENTS`. */
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

/** The clock of latencies: milliseconds, the same in every process of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
