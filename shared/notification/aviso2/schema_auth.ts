/**
 * The `auth` of an event type in a schema of aviso 2.x: who may listen to it and who may publish it.
 *
 * @module
 */

import * as v from 'valibot'

import { strictSection } from './strict_section.ts'

/** Realm → roles; the role `*` is everybody of the realm. */
export type RolesByRealm = Readonly<Record<string, readonly string[]>>

/** Who may do what with an event type. */
export interface SchemaAuth {
  /** Whether a credential is needed. */
  readonly isRequired: boolean
  /** Who may listen. Absent: everybody with a credential. */
  readonly readRoles?: RolesByRealm
  /** Who may publish. Absent: only administrators. */
  readonly writeRoles?: RolesByRealm
  /** Whether ECPDS decides which destinations a listener may see. */
  readonly isEcpds: boolean
}

const PLUGINS = ['ecpds'] as const

const name = v.pipe(
  v.string('A role must be text'),
  v.check(
    (text) => text !== '' && text.trim() === text,
    'A role must not be empty or begin or end with a space',
  ),
)

const BY_REALM = 'Roles are given by realm, such as localrealm: [reader]'

const roles = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value), BY_REALM),
  v.record(
    v.pipe(
      v.string(),
      v.check(
        (text) => text !== '' && text.trim() === text,
        'A realm must not be empty or begin or end with a space',
      ),
    ),
    v.pipe(
      v.array(name, 'Roles are given as a list for each realm, such as localrealm: [reader]'),
      v.minLength(1, 'It must list at least one role; "*" is everybody of the realm'),
    ),
    BY_REALM,
  ),
  v.check((realms) => Object.keys(realms).length > 0, 'It must have at least one realm, or be left out'),
)

/** Reads an `auth`. */
export const schemaAuth = v.pipe(
  strictSection({
    required: v.boolean('It must be true or false'),
    read_roles: v.nullish(roles),
    write_roles: v.nullish(roles),
    plugins: v.nullish(
      v.pipe(
        v.array(
          v.picklist(PLUGINS, `The only plugin is ${PLUGINS.join(', ')}`),
          'Plugins are given as a list, such as [ecpds]',
        ),
        v.minLength(1, 'It must list at least one plugin, or be left out'),
      ),
    ),
  }),
  v.check(
    ({ required, read_roles: read, write_roles: write, plugins }) =>
      required || (!read && !write && !plugins),
    'Roles and plugins need "required: true", because a requester without a credential has no role',
  ),
  v.transform(({ required, read_roles: readRoles, write_roles: writeRoles, plugins }): SchemaAuth => ({
    isRequired: required,
    ...(readRoles && { readRoles }),
    ...(writeRoles && { writeRoles }),
    isEcpds: plugins?.includes('ecpds') === true,
  })),
)
