/**
 * What a user may do: an administrator asks it of the policy that counts now.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { ApiError, ask, messageOf, toQuery, type Right } from './api.ts'
import { Badge, Notice, type Loaded } from './parts.tsx'
import { brief, seen } from './text.ts'

interface Verdict {
  readonly allowed: boolean
  readonly by: readonly string[]
}

/** The answer of `/api/v1/admin/access`. */
interface UserRights {
  readonly user: {
    readonly username: string
    readonly realm: string
    readonly roles: readonly string[]
    readonly claims: Readonly<Record<string, readonly string[]>>
  } | null
  readonly rights: readonly Right[]
  readonly administer: Verdict
  readonly relay: Verdict
  readonly unmet: readonly { readonly by: string; readonly reason: string }[]
  readonly incomplete?: boolean
}

/** What the person writes. Lists have spaces. */
interface Question {
  readonly user: string
  readonly realm: string
  readonly role: string
  readonly claim: string
}

const FIELDS = [
  { name: 'user', label: 'user', example: 'empty: without a token' },
  { name: 'realm', label: 'realm', example: 'that of their token' },
  { name: 'role', label: 'roles', example: 'such as reader operator' },
  { name: 'claim', label: 'claims', example: 'such as team=x' },
] as const
const MOST_CHARACTERS = 120

/** The form, and the answer. */
export function ExplainUser(): JSX.Element {
  const [question, setQuestion] = useState<Question>({ user: '', realm: '', role: '', claim: '' })
  const [{ answer, error }, setLoaded] = useState<Loaded<UserRights>>({})
  const submit = (): void => {
    const { role, claim, ...one } = question
    const query = toQuery({ ...one, role: listOf(role), claim: listOf(claim) })
    ask<UserRights>(`api/v1/admin/access?${query}`).then(
      (rights) => setLoaded({ answer: rights }),
      (failure: unknown) => setLoaded({ error: failure }),
    )
  }
  const field = error instanceof ApiError ? error.field : undefined
  return (
    <section class="card" aria-label="What a user may do">
      <h2>What a user may do</h2>
      <form
        class="form"
        onSubmit={(submitted) => {
          submitted.preventDefault()
          submit()
        }}
      >
        {FIELDS.map(({ name, label, example }) => (
          <Asked
            key={name}
            label={label}
            example={example}
            value={question[name]}
            problem={field === name ? messageOf(error) : undefined}
            onChange={(value) => setQuestion({ ...question, [name]: value })}
          />
        ))}
        <div class="actions">
          <button type="submit" class="primary">
            Ask the policy
          </button>
        </div>
      </form>
      <div aria-live="polite">
        {error !== undefined && FIELDS.every(({ name }) => name !== field) ? (
          <Notice kind="bad">{messageOf(error)}</Notice>
        ) : null}
        {answer === undefined ? null : <Answer rights={answer} />}
      </div>
    </section>
  )
}

/** A claim may have several values with commas between them, as in `team=x,y`. So spaces part what is listed. */
function listOf(text: string): readonly string[] {
  return text.split(/,?\s+/).filter((part) => part !== '')
}

interface AskedProps {
  readonly label: string
  readonly example: string
  readonly value: string
  readonly problem: string | undefined
  readonly onChange: (value: string) => void
}

function Asked({ label, example, value, problem, onChange }: AskedProps): JSX.Element {
  const id = useId()
  return (
    <div class={problem === undefined ? 'field' : 'field wrong'}>
      <label for={id}>{label}</label>
      <input
        id={id}
        value={value}
        placeholder={example}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-problem`}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <span class="problem" id={`${id}-problem`}>
        {problem === undefined ? '' : `■ ${seen(problem)}`}
      </span>
    </div>
  )
}

function Answer({
  rights: { user, rights, administer, relay, unmet, incomplete },
}: {
  readonly rights: UserRights
}): JSX.Element {
  return (
    <>
      <h3>{user === null ? 'Without an identity' : nameOf(user)}</h3>
      {incomplete === true ? (
        <Notice kind="warn">Rights may be missing: ECPDS does not answer.</Notice>
      ) : null}
      <ul class="plain">
        {rights.map((right, index) => (
          <li key={index}>
            <Badge kind="good">{right.right}</Badge> {rightText(right)} <small>by {right.by}</small>
          </li>
        ))}
        {rights.length === 0 ? (
          <li>
            <Badge kind="idle">nothing</Badge> to listen to or to publish
          </li>
        ) : null}
        {administer.allowed ? (
          <li>
            <Badge kind="warn">administer</Badge> <small>by {administer.by.join(', ')}</small>
          </li>
        ) : null}
        {relay.allowed ? (
          <li>
            <Badge kind="warn">relay</Badge> <small>by {relay.by.join(', ')}</small>
          </li>
        ) : null}
        {unmet.map(({ by, reason }) => (
          <li key={by}>
            <Badge kind="idle">does not apply</Badge> {by}: {seen(reason)}
          </li>
        ))}
      </ul>
    </>
  )
}

function nameOf({ username, realm, roles, claims }: NonNullable<UserRights['user']>): string {
  const more = Object.entries(claims).map(([name, values]) => `${name}=${values.join(',')}`)
  const known = [...(roles.length === 0 ? [] : [`roles ${roles.join(' ')}`]), ...more]
  return seen([`${username} of realm ${realm}`, ...known].join(', '))
}

/** Of which event type, and of which keys where those are not all. */
export function rightText({ event_type, keys }: Right): string {
  const event = seen(event_type ?? 'everything')
  return keys === 'everything' ? event : `${event} of ${brief(keys.join(', '), MOST_CHARACTERS)}`
}
