/**
 * The frame of the page: who looks, which views there are for them, and the view that is shown.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import {
  baseUrl,
  enter,
  hasRight,
  isNameless,
  leave,
  session,
  toCredential,
  type Me,
  type Session,
} from './api.ts'
import { catalogue, loadCatalogue } from './catalogue.ts'
import { ExplainView } from './explain.tsx'
import { HistoryView } from './history.tsx'
import { isTaken } from './keys.ts'
import { ListenersView } from './listeners.tsx'
import { LiveView } from './live.tsx'
import { Notice } from './parts.tsx'
import { go, place } from './place.ts'
import { PublishView } from './publish.tsx'
import { RunsView } from './runs.tsx'
import { useWatched } from './state.ts'
import { SystemView } from './system.tsx'
import { brief, seen } from './text.ts'

interface View {
  readonly name: string
  readonly title: string
  readonly draw: () => JSX.Element
  /** Who has it. */
  readonly isFor: (me: Me | undefined) => boolean
}

const listens = (me: Me | undefined): boolean => hasRight(me, 'listen')
const operates = (me: Me | undefined): boolean => me?.administer.allowed === true

/** What a person may not do has no view. */
const VIEWS: readonly View[] = [
  { name: 'live', title: 'Live', draw: () => <LiveView />, isFor: listens },
  { name: 'history', title: 'History', draw: () => <HistoryView />, isFor: listens },
  { name: 'runs', title: 'Runs', draw: () => <RunsView />, isFor: listens },
  { name: 'publish', title: 'Publish', draw: () => <PublishView />, isFor: (me) => hasRight(me, 'publish') },
  { name: 'explain', title: 'Explain', draw: () => <ExplainView />, isFor: listens },
  { name: 'listeners', title: 'Listeners', draw: () => <ListenersView />, isFor: operates },
  { name: 'system', title: 'System', draw: () => <SystemView />, isFor: operates },
]

/** The page. */
export function App(): JSX.Element {
  const state = useWatched(session)
  const { view } = useWatched(place)
  const { isLoaded, error } = useWatched(catalogue)
  const { phase, me } = state
  const views = VIEWS.filter(({ isFor }) => isFor(me))
  const shown = views.find(({ name }) => name === view) ?? views[0]
  useEffect(() => {
    if (phase === 'inside') void loadCatalogue()
    else catalogue.set({ isLoaded: false, events: [] })
  }, [phase, me])
  useEffect(() => {
    document.title = phase === 'inside' && shown !== undefined ? `${shown.title} · Aviso` : 'Aviso'
  }, [shown?.title, phase])
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <header class="top">
        <a class="brand" href="#/live">
          Aviso
        </a>
        {phase === 'inside' ? <Menu views={views} shown={shown?.name} /> : <span class="push" />}
        <Person state={state} />
      </header>
      <main id="main" tabIndex={-1}>
        {phase === 'starting' ? <p class="empty">Loading …</p> : null}
        {phase === 'unreachable' ? <Unreachable reason={state.reason ?? ''} /> : null}
        {phase === 'outside' ? <SignIn reason={state.reason} /> : null}
        {phase === 'inside' && error !== undefined ? <Notice kind="bad">{error}</Notice> : null}
        {phase === 'inside' && isLoaded && shown !== undefined && !isKnown(view, views) ? (
          <Notice kind="warn">
            {isKnown(view, VIEWS)
              ? `The view ${seen(view)} is not for you: ${shown.title} is shown.`
              : `There is no view ${brief(view, 40)}: ${shown.title} is shown.`}
          </Notice>
        ) : null}
        {phase === 'inside' && isLoaded ? (shown?.draw() ?? <NothingToSee />) : null}
      </main>
      <footer class="foot">
        <a href={`${baseUrl()}/docs`}>Documents</a> <a href={`${baseUrl()}/swagger-ui/`}>API</a>
      </footer>
      <Keys views={views} />
    </>
  )
}

function isKnown(view: string, views: readonly View[]): boolean {
  return views.some(({ name }) => name === view)
}

function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

/** On a phone the views are wider than the screen. */
function intoView(link: HTMLElement | null): void {
  link?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}

function Menu({
  views,
  shown,
}: {
  readonly views: readonly View[]
  readonly shown: string | undefined
}): JSX.Element {
  return (
    <nav aria-label="Views">
      {views.map(({ name, title }) => (
        <a
          key={name}
          href={`#/${name}`}
          aria-current={name === shown ? 'page' : undefined}
          ref={name === shown ? intoView : null}
        >
          {title}
        </a>
      ))}
    </nav>
  )
}

function Person({ state: { phase, me, isSignedIn } }: { readonly state: Session }): JSX.Element | null {
  if (phase !== 'inside' || me === undefined) return null
  const { user, administer } = me
  return (
    <div class="person">
      {user === null ? (
        <span>{isNameless(me) ? 'not signed in' : 'no identities here'}</span>
      ) : (
        <span title={`realm ${user.realm}; roles ${user.roles.join(', ') || 'none'}`}>
          {seen(user.username)}
          {administer.allowed ? <small> operator</small> : null}
        </span>
      )}
      {isSignedIn ? (
        <button type="button" class="small" onClick={() => leave()}>
          Sign out
        </button>
      ) : null}
      {!isSignedIn && isNameless(me) ? (
        <button type="button" class="small" onClick={() => leave()}>
          Sign in
        </button>
      ) : null}
    </div>
  )
}

function SignIn({ reason }: { readonly reason: string | undefined }): JSX.Element {
  const [token, setToken] = useState('')
  const [isAsking, setAsking] = useState(false)
  const submit = (event: Event): void => {
    event.preventDefault()
    setAsking(true)
    void enter(toCredential(token)).finally(() => setAsking(false))
  }
  return (
    <div class="sign-in">
      <h1>Sign in</h1>
      {reason === undefined ? null : <Notice kind="bad">{reason}</Notice>}
      <form onSubmit={submit}>
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          required
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
        <p class="hint">
          The same token as for <code>aviso</code> and <code>pyaviso</code>, or <code>e-mail:key</code>. This
          page keeps it in memory: it is gone when the tab is closed or loaded again.
        </p>
        <button type="submit" class="primary" disabled={isAsking || token.trim() === ''}>
          Sign in
        </button>
      </form>
    </div>
  )
}

function Unreachable({ reason }: { readonly reason: string }): JSX.Element {
  return (
    <div class="empty">
      <Notice kind="bad">{reason}</Notice>
      <button type="button" onClick={() => void enter()}>
        Try again
      </button>
    </div>
  )
}

function NothingToSee(): JSX.Element {
  return (
    <Notice kind="warn">
      You are known here, but no rule lets you listen, publish or operate. An operator can say why:{' '}
      <code>aviso config explain-access</code>.
    </Notice>
  )
}

const KEYS: readonly (readonly [key: string, does: string])[] = [
  ['Space', 'stops the live table, and lets it go on'],
  ['Escape', 'closes the panel beside the table'],
  ['1 … 7', 'opens a view'],
  ['?', 'shows these keys'],
]

/** Keys for people who do not use a mouse. They do nothing while something is written. */
function Keys({ views }: { readonly views: readonly View[] }): JSX.Element {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey || isTaken(event)) return
      const dialog = document.getElementById('keys') as HTMLDialogElement | null
      if (event.key === '?') dialog?.showModal()
      const view = views[Number(event.key) - 1]
      if (view !== undefined) go(view.name)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [views.length])
  const { version, licences } = document.documentElement.dataset
  return (
    <dialog id="keys" aria-label="Keys">
      <h2>Keys</h2>
      <dl class="facts">
        {KEYS.map(([key, does]) => (
          <>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </>
        ))}
      </dl>
      <p>
        Aviso {version}, <a href={licences}>licences</a>
      </p>
      <form method="dialog">
        <button>Close</button>
      </form>
    </dialog>
  )
}
