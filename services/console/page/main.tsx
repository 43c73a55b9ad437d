/**
 * The page begins here.
 *
 * @module
 */

import { render } from 'preact'
import { enter } from './api.ts'
import { App } from './app.tsx'

const root = document.getElementById('app')
if (root !== null) {
  root.replaceChildren()
  render(<App />, root)
  void enter()
}
