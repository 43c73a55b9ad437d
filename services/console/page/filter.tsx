/**
 * The filter: one row for each field of the schema, with the values that were seen.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { isNeeded, knownValues, rateText, type EventType, type Filter } from './catalogue.ts'
import { brief, countText, seen } from './text.ts'

/** Values that are buttons of their own. The others are found by typing. */
const MOST_CHIPS = 8
const MOST_CHARACTERS = 24

/** A list of event types with how much comes of each. */
export function EventList({
  events,
  chosen,
  onChoose,
}: {
  readonly events: readonly EventType[]
  readonly chosen: string
  readonly onChoose: (event: string) => void
}): JSX.Element {
  return (
    <div class="events" role="group" aria-label="Event types">
      {events.map((event) => (
        <button
          key={event.event_type}
          type="button"
          aria-pressed={event.event_type === chosen}
          onClick={() => onChoose(event.event_type)}
        >
          <span>{seen(event.event_type)}</span>
          <small>{rateText(event)}</small>
        </button>
      ))}
    </div>
  )
}

export interface FilterProps {
  readonly event: EventType
  readonly filter: Filter
  readonly onChange: (filter: Filter) => void
}

/** The rows of the fields. */
export function FilterRows({ event, filter, onChange }: FilterProps): JSX.Element {
  const set = (name: string, values: readonly string[]): void => {
    const { [name]: _before, ...others } = filter
    onChange(values.length === 0 ? others : { ...others, [name]: values })
  }
  return (
    <div class="filter" role="group" aria-label="Filter">
      {event.names.map((name) => (
        <FieldRow
          key={name}
          event={event}
          name={name}
          values={filter[name] ?? []}
          isRequired={isNeeded(event, name, filter)}
          onChange={(values) => set(name, values)}
        />
      ))}
      {Object.keys(filter).length === 0 ? null : (
        <button type="button" class="small" onClick={() => onChange({})}>
          Clear the filter
        </button>
      )}
    </div>
  )
}

interface FieldProps {
  readonly event: EventType
  readonly name: string
  readonly values: readonly string[]
  readonly isRequired: boolean
  readonly onChange: (values: readonly string[]) => void
}

function FieldRow({ event, name, values, isRequired, onChange }: FieldProps): JSX.Element {
  const id = useId()
  const [typed, setTyped] = useState('')
  const known = event.fields[name]?.values ?? []
  const chips = known.filter(({ value }) => value.length <= MOST_CHARACTERS).slice(0, MOST_CHIPS)
  const others = values.filter((value) => !chips.some((chip) => chip.value === value))
  const toggle = (value: string): void =>
    onChange(values.includes(value) ? values.filter((each) => each !== value) : [...values, value])
  const add = (): void => {
    const value = typed.trim()
    setTyped('')
    if (value !== '' && !values.includes(value)) onChange([...values, value])
  }
  return (
    <div class="field">
      <label for={id}>
        {name}
        {isRequired ? <abbr title="needed to listen"> *</abbr> : null}
      </label>
      <input
        id={id}
        list={`${id}-values`}
        value={typed}
        placeholder={values.length === 0 ? (isRequired ? 'needed' : 'any') : 'or …'}
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        onChange={add}
        onKeyDown={({ key }) => key === 'Enter' && add()}
      />
      <datalist id={`${id}-values`}>
        {knownValues(event, name).map((value) => (
          <option key={value} value={value} />
        ))}
      </datalist>
      <div class="chips">
        {others.map((value) => (
          <button key={value} type="button" class="chip" aria-pressed="true" onClick={() => toggle(value)}>
            {brief(value, MOST_CHARACTERS)} <span aria-hidden="true">×</span>
          </button>
        ))}
        {chips.map(({ value, count }) => (
          <button
            key={value}
            type="button"
            class="chip"
            aria-pressed={values.includes(value)}
            onClick={() => toggle(value)}
          >
            {seen(value)} <small>{countText(count)}</small>
          </button>
        ))}
      </div>
    </div>
  )
}
