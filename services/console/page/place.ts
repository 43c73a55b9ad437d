/**
 * The address of what is shown, such as `#/live?event=flight&country=italy`: it can be kept and sent to others. It never holds a credential.
 *
 * @module
 */

import { createState } from './state.ts'

export interface Place {
  readonly view: string
  readonly query: URLSearchParams
}

function readPlace(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2)
  return { view: path === '' ? 'live' : path, query: new URLSearchParams(query) }
}

export const place = createState<Place>(readPlace())
addEventListener('hashchange', () => place.set(readPlace()))

/** Goes to a view. */
export function go(view: string, query = ''): void {
  location.hash = `#/${view}${query === '' ? '' : `?${query}`}`
}

/** Changes the query of the view that is shown, without a new step in the browser's history. */
export function keepQuery(query: string): void {
  const { view } = place.get()
  history.replaceState(null, '', `#/${view}${query === '' ? '' : `?${query}`}`)
}
