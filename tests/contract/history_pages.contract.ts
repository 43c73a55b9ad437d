/**
 * What pages of history promise on every store, asked of a whole system through its handler.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import type { Store } from '#shared/store/store.ts'
import { eventually } from '../support/waiting.ts'
import { withSystem, type FrameData, type TestSystem } from '../service/auth_fixture.ts'

/** A page of `GET /api/v1/notifications`. */
export interface Page {
  readonly notifications: readonly FrameData[]
  readonly cursor: string | null
  readonly more: boolean
  readonly looked: { readonly first: string; readonly last: string; readonly count: number } | null
  readonly truncated?: boolean
}

const PAGES = '/api/v1/notifications?event=flight'
/** More than any of these walks needs. */
const MOST_PAGES = 1000

/** Asks for a page that is there. */
export async function readHistory({ call }: TestSystem, query = ''): Promise<Page> {
  const response = await call(PAGES + query)
  const answer: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer as Page
}

/** The ids of a page. */
export function idsOf({ notifications }: Page): (string | undefined)[] {
  return notifications.map(({ id }) => id)
}

/** One step of what happens while somebody pages through history. */
type Step = 'single' | 'batch' | 'page'

/** Pages through everything while others publish. @returns the ids as they came. */
async function walk(
  test: TestSystem,
  { query, steps }: { readonly query: string; readonly steps: readonly Step[] },
  publish: (step: Step) => Promise<void>,
): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = []
  let cursor: string | null = null
  const pending = [...steps]
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    for (let step = pending.shift(); step !== undefined && step !== 'page'; step = pending.shift())
      await publish(step)
    const page: Page = await readHistory(test, cursor === null ? query : `${query}&cursor=${cursor}`)
    ids.push(...idsOf(page))
    cursor = page.cursor
    if (!page.more && pending.length === 0) return ids
    if (cursor === null) return ids
  }
  throw new Error('the walk does not end')
}

/** What `POST /api/v1/explain` answers. */
interface Explained {
  readonly listeners: readonly {
    readonly matched: number
    readonly looked: { readonly complete: boolean }
    readonly newest: FrameData | null
    readonly near_misses: readonly { readonly field: string; readonly excluded: number }[]
  }[]
}

/** The suite. @param open Opens an empty store, or one whose flights are only of this suite. */
export function historyPagesContract(
  name: string,
  open: () => Promise<Store>,
  { runs }: { readonly runs: number },
): void {
  describe(`pages of history, ${name}`, () => {
    it('every notification exactly once in both orders, while others are published', async () => {
      const store = await open()
      await withSystem(
        async (test) => {
          let published = 0
          const publish = async (step: Step): Promise<void> => {
            const count = step === 'single' ? 1 : 3
            const numbers = Array.from({ length: count }, (_, place) => `n${published + place}`)
            if (step === 'single') await test.publish(numbers[0] ?? '')
            else await test.publishTogether(...numbers)
            published += count
          }
          await publish('single')
          const step = fc.constantFrom<Step>('single', 'batch', 'page')
          await fc.assert(
            fc.asyncProperty(
              fc.record({ limit: fc.integer({ min: 1, max: 7 }), steps: fc.array(step, { maxLength: 12 }) }),
              fc.boolean(),
              async ({ limit, steps }, isFiltered) => {
                const query = `&limit=${limit}${isFiltered ? '&country=Italy' : ''}`
                const before = published
                const newest = await walk(test, { query, steps }, publish)
                assert.ok(newest.length >= before && newest.length <= published)
                const top = Number(newest[0]?.split('@')[1])
                assert.deepEqual(
                  newest,
                  Array.from({ length: top }, (_, place) => `flight@${top - place}`),
                )
                const oldest = await walk(test, { query: `${query}&order=oldest`, steps }, publish)
                assert.deepEqual(
                  oldest,
                  Array.from({ length: published }, (_, place) => `flight@${place + 1}`),
                )
              },
            ),
            { numRuns: runs },
          )
        },
        { store: () => store },
      )
    })

    it('a cursor is a place of streams, too', async () => {
      const store = await open()
      await withSystem(
        async (test) => {
          await test.publishTogether('a', 'b', 'c')
          await test.publish('d')
          const { cursor } = await readHistory(test, '&order=oldest&limit=2')
          // Polls may be a moment behind the store.
          await eventually('the stream goes on behind the page', async () => {
            const polled = await test.call(`/api/v1/notifications/poll?event=flight&cursor=${cursor}`)
            const ids = idsOf((await polled.json()) as Page)
            assert.deepEqual(ids, ['flight@3', 'flight@4'].slice(0, ids.length))
            return ids.length === 2
          })
          const up = await readHistory(test, `&cursor=${cursor}`)
          assert.deepEqual(idsOf(up), ['flight@2', 'flight@1'])
        },
        { store: () => store },
      )
    })

    it('event types and explanations tell of the same history', async () => {
      const store = await open()
      await withSystem(
        async (test) => {
          await test.publishTogether('a', 'b', 'c')
          await test.publish('a')
          const events = await test.call('/api/v1/events?event=flight')
          assert.match(await events.text(), /"last":\{"id":"flight@4".*"published":\{"minute":4,/)
          const listeners = ['a', 'z'].map((number) => ({ event_type: 'flight', identifier: { number } }))
          const explained = await test.post('/api/v1/explain', { listeners })
          const [match, miss] = ((await explained.json()) as Explained).listeners
          assert.deepEqual([match?.matched, match?.looked.complete, match?.newest?.id], [2, true, 'flight@4'])
          assert.deepEqual(
            miss?.near_misses.map(({ field, excluded }) => [field, excluded]),
            [['number', 4]],
          )
        },
        { store: () => store },
      )
    })

    it('goes as far as history is kept, and says so', async () => {
      const store = await open()
      await withSystem(
        async (test) => {
          for (const number of ['a', 'b', 'c']) await test.publish(number)
          const { revision } = await test.publish('d')
          await test.publish('e')
          await test.store.compact(BigInt(revision))
          for (const query of ['', '&order=oldest', '&from=1', '&order=oldest&from=1']) {
            const page = await readHistory(test, query)
            assert.deepEqual(
              [query, new Set(idsOf(page)), page.truncated],
              [query, new Set(['flight@4', 'flight@5']), true],
            )
          }
          assert.equal((await test.call('/api/v1/notifications/flight@2')).status, 410)
          assert.equal((await test.call('/api/v1/notifications/flight@4')).status, 200)
        },
        { store: () => store },
      )
    })
  })
}
