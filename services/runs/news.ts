/**
 * Which changes of runs are news. What happened before runs were followed here is history.
 *
 * @module
 */

import type { Transition } from '#shared/runs/runs.ts'

export interface News {
  /**
   * Begins anew.
   *
   * @param since What happened before is no news, in milliseconds since 1970.
   * @param isFirst Whether no instance has ever followed runs here.
   */
  begin(since: number, isFirst: boolean): void
  /** Those that are news, each run's in their order. */
  of(transitions: readonly Transition[]): readonly Transition[]
  /** What is to be told once all that is stored has been read: what is late then. A run would else recover without having been late. */
  overdue(): readonly Transition[]
  since(): number
}

/** @param start Until {@link News.begin}. */
export function createNews(start: number): News {
  let since = start
  let isFirst = false
  /** At the first start: runs that were late before it and may still be, by id. */
  const late = new Map<string, Transition>()

  function note(transition: Transition): void {
    const { state, run } = transition
    if (state === 'late') late.set(run.id, transition)
    else if (state === 'recovered' || state === 'incomplete') late.delete(run.id)
  }

  return {
    begin(at, isFirstStart) {
      since = at
      isFirst = isFirstStart
      late.clear()
    },
    of(transitions) {
      const news: Transition[] = []
      for (const transition of transitions) {
        if (transition.at < since) {
          if (isFirst) note(transition)
          continue
        }
        const before = late.get(transition.run.id)
        if (before !== undefined) news.push(before)
        late.delete(transition.run.id)
        news.push(transition)
      }
      return news
    },
    overdue() {
      const found = [...late.values()]
      late.clear()
      return found
    },
    since: () => since,
  }
}
