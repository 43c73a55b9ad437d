/**
 * Reads values from the metrics page of another program: etcd or kube-state-metrics.
 *
 * @module
 */

/** One sample of a page. */
export interface PageSample {
  readonly name: string
  /** The raw text between the braces; empty when there are none. */
  readonly labels: string
  readonly value: number
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S+)/
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** The samples with a wanted name. Lines that are not samples are skipped. */
export function readSamples(page: string, wanted: ReadonlySet<string>): readonly PageSample[] {
  const samples: PageSample[] = []
  for (const line of page.split('\n')) {
    const end = line.search(/[{ \t]/)
    // The cheap test comes first, because etcd's page has thousands of lines and only a few are wanted.
    if (end <= 0 || !wanted.has(line.slice(0, end))) continue
    const [, name, labels = '', text = ''] = SAMPLE.exec(line) ?? []
    const value = parseValue(text)
    if (name !== undefined && value !== undefined) samples.push({ name, labels, value })
  }
  return samples
}

/** A value as Prometheus writes it, with exponents, `NaN` and infinities. */
function parseValue(text: string): number | undefined {
  if (NUMBER.test(text)) return Number(text)
  if (/^nan$/i.test(text)) return Number.NaN
  const infinite = /^([+-]?)inf$/i.exec(text)
  if (infinite === null) return undefined
  return infinite[1] === '-' ? -Infinity : Infinity
}
