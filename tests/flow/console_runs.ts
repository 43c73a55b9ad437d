/**
 * Runs as a service with runs tells of them, for pictures of the console.
 *
 * @module
 */

import type { Page } from 'playwright-core'

const STEPS = 61
const PARAMS = ['a', 'b']
const EXPECTED = STEPS * PARAMS.length

/** Answers the page's questions about runs. */
export async function mockRuns(page: Page): Promise<void> {
  const runs = [
    makeRun('30', '12', { count: 0, state: 'expected' }),
    makeRun('30', '00', { count: 70, state: 'late' }),
    makeRun('29', '12', { count: 101, state: 'running' }),
    makeRun('29', '00', { count: EXPECTED, state: 'complete' }),
  ]
  await page.route('**/api/v1/runs**', async (route) => {
    const path = decodeURIComponent(new URL(route.request().url()).pathname)
    const one = runs.find(({ id }) => path.endsWith(`/${id}`))
    const list = runs.map(({ products: _products, arrivals: _arrivals, ...run }) => run)
    await route.fulfill({ json: one ?? { runs: list, next: null } })
  })
}

function makeRun(
  day: string,
  hour: string,
  { count, state }: { readonly count: number; readonly state: string },
) {
  const nominal = `2026-11-${day}T${hour}:00:00.000Z`
  const at = (seconds: number): string => new Date(Date.parse(nominal) + seconds * 1000).toISOString()
  const products = Array.from({ length: EXPECTED }, (_, index) => {
    const step = Math.floor(index / PARAMS.length)
    const due = 20_000 + step * 60
    const lateness = step === 9 ? 420 : -100
    const isHere = index < count
    const missing = state === 'late' && index < count + 12 ? 'overdue' : 'missing'
    return {
      product: { step: String(step * 6), param: PARAMS[index % PARAMS.length] },
      at: isHere ? at(due + lateness) : null,
      due_at: at(due),
      lateness_seconds: isHere ? lateness : null,
      state: isHere ? 'received' : missing,
    }
  })
  const lacking = products.filter((product) => product.state !== 'received')
  return {
    id: `mars:od,oper,0001,202611${day},${hour}`,
    event_type: 'mars',
    run: { class: 'od', stream: 'oper', expver: '0001', date: `202611${day}`, time: hour },
    nominal,
    state,
    received: count,
    expected: EXPECTED,
    extra: 0,
    repeated: 0,
    first_at: count === 0 ? null : at(19_900),
    last_at: count === 0 ? null : at(19_900 + count * 30),
    complete_at: state === 'complete' ? at(24_000) : null,
    republished_at: null,
    due_at: at(24_600),
    usual: { first_at: at(19_800), complete_at: at(23_880) },
    eta: count === 0 || state === 'complete' ? null : { at: at(24_300), from: at(24_000), to: at(24_900) },
    learning: null,
    overdue: lacking.filter((product) => product.state === 'overdue').length,
    missing: {
      count: lacking.length,
      products: lacking.slice(0, 50).map(({ product }) => product),
      truncated: lacking.length > 50,
    },
    products,
    arrivals: {
      today: Array.from({ length: count }, (_, index) => [19_900 + index * 30, index + 1]),
      usual: Array.from({ length: EXPECTED }, (_, index) => [
        19_800 + index * 33,
        Math.max(0, index - 9),
        index,
        Math.min(EXPECTED, index + 9),
      ]),
    },
  }
}
