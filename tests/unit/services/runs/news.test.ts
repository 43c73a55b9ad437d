import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNews } from '#services/runs/news.ts'
import type { RunView, Transition } from '#shared/runs/runs.ts'

const START = 1_000

function transition(id: string, state: Transition['state'], at: number): Transition {
  return { run: { id } as RunView, state, at }
}

const show = (transitions: readonly Transition[]): readonly string[] =>
  transitions.map(({ run, state }) => `${run.id} ${state}`)

describe('createNews()', () => {
  it('leaves out what happened before', () => {
    const news = createNews(0)
    news.begin(START, false)
    const all = [transition('a', 'late', START - 1), transition('b', 'late', START)]
    assert.deepEqual([show(news.of(all)), show(news.overdue())], [['b late'], []])
  })

  it('at the first start, gives what is still late, once', () => {
    const news = createNews(0)
    news.begin(START, true)
    const all = [
      transition('a', 'late', 1),
      transition('b', 'late', 2),
      transition('c', 'late', 3),
      transition('a', 'started', 4),
      transition('b', 'recovered', 5),
      transition('c', 'incomplete', 6),
    ]
    assert.deepEqual(show(news.of(all)), [])
    assert.deepEqual([show(news.overdue()), show(news.overdue())], [['a late'], []])
  })

  it('gives what was late before what happens to it next', () => {
    const news = createNews(0)
    news.begin(START, true)
    const all = [transition('a', 'late', 1), transition('a', 'recovered', START)]
    assert.deepEqual([show(news.of(all)), show(news.overdue())], [['a late', 'a recovered'], []])
  })
})
