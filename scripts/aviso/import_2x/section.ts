/**
 * A section of a 2.x configuration that is read setting by setting, and says in the end which settings nobody asked for.
 *
 * @module
 */

import { asObject, type Document2x } from './document.ts'

/** What a reading of the whole configuration collects. */
export interface Report {
  /** What has no counterpart, in words. */
  readonly notes: string[]
  /** What cannot be taken over, because the services would behave otherwise. */
  readonly problems: string[]
}

/** One section. Each question marks its setting as known. */
export interface Section {
  /** Whether the configuration has the section. */
  readonly isGiven: boolean
  /** Dotted place, such as `notification_backend.jetstream`. */
  readonly path: string
  /** All settings, whose names anybody may have chosen. */
  readonly members: Document2x
  text(name: string): string | undefined
  /** A text that is not blank, and has no space at its ends. */
  name(name: string): string | undefined
  /** A text of an environment that is a number counts as that number. */
  number(name: string): number | undefined
  flag(name: string): boolean | undefined
  /** A list of texts. */
  texts(name: string): readonly string[] | undefined
  /** Realm → roles. */
  roles(name: string): ReadonlyMap<string, readonly string[]> | undefined
  section(name: string): Section
  /** Notes the settings among these that are given, with one reason. */
  leaveOut(names: readonly string[], reason: string): void
  problem(name: string, reason: string): void
  note(name: string, reason: string): void
  /** Notes each setting that was not asked for. */
  close(): void
}

/** Opens the section at a path of a document. */
export function openSection(value: unknown, path: string, report: Report): Section {
  const members: Document2x = asObject(value) ?? {}
  const asked = new Set<string>()
  const placeOf = (name: string): string => [path, name].filter(Boolean).join('.')
  if (value !== undefined && value !== null && asObject(value) === undefined)
    report.problems.push(`${path}: it must be a section with settings`)

  function ask(name: string): unknown {
    asked.add(name)
    return Object.hasOwn(members, name) ? (members[name] ?? undefined) : undefined
  }
  function wrong(name: string, wanted: string): undefined {
    report.problems.push(`${placeOf(name)}: it must be ${wanted}`)
    return undefined
  }

  function text(name: string): string | undefined {
    const found = ask(name)
    if (found === undefined || typeof found === 'string') return found
    return typeof found === 'number' ? String(found) : wrong(name, 'text')
  }

  return {
    isGiven: asObject(value) !== undefined,
    path,
    members,
    text,
    name(name) {
      const found = text(name)
      return found === undefined || found === '' || isTrimmed(found) ? found : wrong(name, TRIMMED)
    },
    number(name) {
      const found = ask(name)
      if (found === undefined || typeof found === 'number') return found
      return typeof found === 'string' && /^\d{1,15}(?:\.\d+)?$/.test(found)
        ? Number(found)
        : wrong(name, 'a number')
    },
    flag(name) {
      const found = ask(name)
      if (found === undefined || typeof found === 'boolean') return found
      return found === 'true' || found === 'false' ? found === 'true' : wrong(name, 'true or false')
    },
    texts(name) {
      const found = ask(name)
      return found === undefined ? undefined : (textsOf(found) ?? wrong(name, 'a list of texts'))
    },
    roles(name) {
      const found = ask(name)
      if (found === undefined) return undefined
      const realms = Object.entries(asObject(found) ?? {})
      const lists = realms.map(([realm, roles]) => [realm, textsOf(roles)] as const)
      const usable = lists.flatMap(([realm, roles]) =>
        roles === undefined || roles.length === 0 ? [] : [[realm, roles] as const],
      )
      if (usable.length === 0 || usable.length < lists.length)
        return wrong(name, 'roles by realm, such as localrealm: [admin]')
      const isPadded = usable.some(([realm, roles]) => ![realm, ...roles].every(isTrimmed))
      return isPadded ? wrong(name, `realms and roles that are each ${TRIMMED}`) : new Map(usable)
    },
    section: (name) => openSection(ask(name), placeOf(name), report),
    leaveOut(names, reason) {
      const given = names.filter((name) => ask(name) !== undefined)
      if (given.length > 0) report.notes.push(`${given.map(placeOf).join(', ')}: ${reason}`)
    },
    problem: (name, reason) => void report.problems.push(`${placeOf(name)}: ${reason}`),
    note: (name, reason) => void report.notes.push(`${placeOf(name)}: ${reason}`),
    close() {
      const left = Object.keys(members).filter((name) => !asked.has(name))
      if (left.length > 0)
        report.notes.push(
          `${left.map(placeOf).join(', ')}: this is not a setting of 2.x that is known here, and has no effect`,
        )
    },
  }
}

const TRIMMED = 'text without a space at its beginning or end'

function isTrimmed(text: string): boolean {
  return text !== '' && text.trim() === text
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined
  const list: readonly unknown[] = value
  const texts = list.filter((entry) => typeof entry === 'string')
  return texts.length === list.length ? texts : undefined
}
