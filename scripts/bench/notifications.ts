/**
 * Bodies that the benchmark posts: CloudEvents of the ECMWF schema, all with different keys.
 *
 * @module
 */

/** A CloudEvent of event `mars`, about 480 bytes. `location` is the payload. */
export function marsEvent(n: number, location: string): string {
  const request = `{"class":"od","date":"20260810","domain":"g","expver":"${1 + (n % 9000)}","step":"${Math.floor(n / 9000)}","stream":"oper","time":"0"}`
  return `{"specversion":"1.0","id":"${crypto.randomUUID()}","source":"/bench/provider","type":"aviso","time":"2026-08-10T00:00:00.000Z","datacontenttype":"application/json","data":{"event":"mars","request":${request},"location":"${location}"}}`
}

/** A location of the usual length, unique per n. */
export function location(n: number): string {
  return `s3://data.example.int/mars/od/20260810/00/oper/g/${String(n).padStart(10, '0')}.grib2`
}

/** A JSON batch of `size` CloudEvents, the n-th of a run. */
export function marsBatch(n: number, size: number): string {
  return `[${Array.from({ length: size }, (_, index) => marsEvent(n * size + index, location(n * size + index))).join(',')}]`
}

/** Key and value of the size that one such notification has in the store, for bare puts. */
export function bareKeyValue(n: number): { readonly key: string; readonly value: string } {
  const key = `/bench/bare/date=20260810,class=od,expver=${String(n).padStart(8, '0')},domain=g,time=00,stream=oper,step=1`
  return { key: btoa(key), value: btoa(location(n)) }
}
