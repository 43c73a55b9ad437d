/**
 * Rows of the conformance cases of aviso 2.x that are about configurations with which the services must not start, and the bad input that is
 * about a configuration: each is refused with its place and what to do.
 */

import { SHARED_SECRET } from '../../support/tokens.ts'

/** A configuration that is refused. */
export interface ConfigRow {
  readonly row: string
  readonly what: string
  /** YAML. */
  readonly text: string
  /** Place, and what to do. */
  readonly refused: RegExp
}

const HEAD = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: jetstream }
`
const AUTH = `auth: { enabled: true, mode: direct, auth_o_tron_url: "http://127.0.0.1:1", jwt_secret: "${SHARED_SECRET}", admin_roles: { localrealm: [admin] } }`
const PROXY = AUTH.replace('direct', 'trusted_proxy')

/** An event type `a` whose parts can be replaced. */
function typeA({
  order = '[x, y]',
  identifier = 'x: { type: StringHandler, required: true }, y: { type: IntHandler }',
  base = 'a',
  more = '',
}: {
  readonly order?: string
  readonly identifier?: string
  readonly base?: string
  readonly more?: string
} = {}): string {
  return `notification_schema:\n  a: { topic: { base: ${base}, key_order: ${order} }, identifier: { ${identifier} }${more} }\n`
}

const STRING = '{ type: StringHandler }'
const one = (row: string, what: string, text: string, refused: RegExp): ConfigRow => ({
  row,
  what,
  text: HEAD + text,
  refused,
})
const withField = (rule: string): string => typeA({ order: '[x]', identifier: `x: ${rule}` })
const withBase = (base: string): string => typeA({ base: JSON.stringify(base) })
const withPolicy = (policy: string): string => typeA({ more: `, storage_policy: { ${policy} }` })
const withAuth = (auth: string): string => `${AUTH}\n${typeA({ more: `, auth: ${auth}` })}`
const ecpds = (settings: string, schema = typeA({ more: ', auth: { required: true, plugins: [ecpds] }' })) =>
  `${AUTH}\necpds: { username: u, password: p, servers: ["https://e.example.org"], match_key: x${settings} }\n${schema}`

const DURATION = /notification_schema\.a\.storage_policy\.retention_time: It must be .*such as 7d/
const SIZE = /notification_schema\.a\.storage_policy\.max_size: It must be .*such as 64Mi/

/** All rows about configurations. */
export const CONFIG_ROWS: readonly ConfigRow[] = [
  one(
    'A20',
    'an unknown option of a rule',
    withField('{ type: StringHandler, max_lenght: 2 }'),
    /notification_schema\.a\.identifier\.x.*did you mean "max_length"/,
  ),
  one(
    'A20',
    'an unknown member of payload',
    typeA({ more: ', payload: { requried: true }' }),
    /notification_schema\.a\.payload.*did you mean "required"/,
  ),
  one(
    'A20',
    'the list of types that payload once had',
    typeA({ more: ', payload: { type: [String] }' }),
    /notification_schema\.a\.payload.*"type" is not known/,
  ),
  one(
    'A20',
    'an unknown member of auth',
    withAuth('{ required: true, read_role: { r: [a] } }'),
    /notification_schema\.a\.auth.*did you mean "read_roles"/,
  ),
  one(
    'B8',
    'two event types with one base',
    `${typeA()}  b: { topic: { base: a, key_order: [x] }, identifier: { x: ${STRING} } }\n`,
    /topic\.base: .*are the same, give each event type its own/,
  ),
  ...['', 'a.b', 'a%b', 'a*b', 'a>b', 'a b', 'é', '_a', '-a'].map((base) =>
    one(
      'B9',
      `the base "${base}"`,
      withBase(base),
      /notification_schema\.a\.topic\.base: A base has letters/,
    ),
  ),
  one(
    'B9',
    'bases that differ in case',
    `${typeA()}  b: { topic: { base: A, key_order: [x] }, identifier: { x: ${STRING} } }\n`,
    /The bases "a" and "A"/,
  ),
  one('K1', 'a field that is not in key_order', typeA({ order: '[x]' }), /key_order: y is missing/),
  one('K1', 'a field twice in key_order', typeA({ order: '[x, y, x]' }), /key_order: x stands twice/),
  one(
    'K1',
    'key_order with what is no field',
    typeA({ order: '[x, y, z]' }),
    /key_order: "z" is not a field/,
  ),
  one('K1', 'an empty key_order', typeA({ order: '[]' }), /key_order: It must list the fields/),
  one(
    'K2',
    'a polygon by another name',
    typeA({ order: '[x]', identifier: `x: ${STRING}, area: { type: PolygonHandler }` }),
    /identifier\.area: .*must be called polygon/,
  ),
  one(
    'K2',
    'two geometries',
    typeA({
      order: '[x]',
      identifier: `x: ${STRING}, polygon: { type: PolygonHandler }, point_cloud: { type: PointCloudHandler }`,
    }),
    /identifier: An event type has one geometry/,
  ),
  one(
    'K5',
    'a match_key that is not in key_order',
    ecpds(', match_key: z').replace('match_key: x, ', ''),
    /^ecpds\.match_key: "z" is not in notification_schema\.a\.topic\.key_order/,
  ),
  one(
    'K5',
    'a match_key that is a place',
    ecpds(
      ', match_key: polygon',
      typeA({
        order: '[x, polygon]',
        identifier: `x: ${STRING}, polygon: { type: PolygonHandler, required: true }`,
        more: ', auth: { required: true, plugins: [ecpds] }',
      }),
    ).replace('match_key: x, ', ''),
    /^ecpds\.match_key: .*be no geometry/,
  ),
  one(
    'K6',
    'a limit of no notifications',
    typeA({ more: ', max_historical_notifications: 0' }),
    /notification_schema\.a\.max_historical_notifications: It must be a whole number above 0/,
  ),
  {
    row: 'K14',
    what: 'a work queue',
    text: 'notification_backend: { kind: jetstream, jetstream: { retention_policy: workqueue } }',
    refused: /^notification_backend\.jetstream\.retention_policy: .*set limits/,
  },
  ...['"10"', '10x', '""', '10', '"0d"'].map((text) =>
    one('J10', `the duration ${text}`, withPolicy(`retention_time: ${text}`), DURATION),
  ),
  ...['"0Mi"', '10m', '""', '5'].map((text) =>
    one('J10', `the size ${text}`, withPolicy(`max_size: ${text}`), SIZE),
  ),
  one(
    'H17',
    'direct without a secret',
    AUTH.replace(/jwt_secret: "[^"]+", /, ''),
    /^auth\.jwt_secret: give it/,
  ),
  one(
    'H17',
    'direct without an address',
    AUTH.replace('auth_o_tron_url: "http://127.0.0.1:1", ', ''),
    /^auth\.auth_o_tron_url: give/,
  ),
  one(
    'H17',
    'trusted_proxy without a secret',
    PROXY.replace(/jwt_secret: "[^"]+", /, ''),
    /^auth\.jwt_secret: give it/,
  ),
  one('H17', 'an unknown mode', AUTH.replace('direct', 'indirect'), /^auth\.mode: "indirect" is not known/),
  one(
    'H17',
    'an address with a space',
    AUTH.replace('http://127.0.0.1:1', ' http://127.0.0.1:1'),
    /^auth\.auth_o_tron_url: .*space/,
  ),
  one('H17', 'a blank address', AUTH.replace('http://127.0.0.1:1', ' '), /^auth\.auth_o_tron_url: /),
  one('H17', 'a blank secret', AUTH.replace(SHARED_SECRET, '  '), /^auth\.jwt_secret: /),
  one(
    'H17',
    'a secret that ends with a space',
    AUTH.replace(SHARED_SECRET, `${SHARED_SECRET} `),
    /^auth\.jwt_secret: .*space/,
  ),
  one(
    'H17',
    'a realm that begins with a space',
    AUTH.replace('localrealm', '" localrealm"'),
    /^auth\.admin_roles: .*space/,
  ),
  one('H17', 'a blank role', AUTH.replace('[admin]', '[" "]'), /^auth\.admin_roles: .*space/),
  one('H17', 'no administrator', AUTH.replace('{ localrealm: [admin] }', '{}'), /^auth\.admin_roles: /),
  one(
    'H17',
    'a realm without roles',
    AUTH.replace('[admin]', '[]'),
    /^auth\.admin_roles: it must be roles by realm/,
  ),
  one(
    'H17',
    'a timeout of 0',
    AUTH.replace('mode: direct', 'mode: direct, timeout_ms: 0'),
    /^auth\.timeout_ms: it must be above 0/,
  ),
  one(
    'H17',
    'rights while no requester is identified',
    typeA({ more: ', auth: { required: true }' }),
    /^auth\.enabled: notification_schema\.a\.auth asks for credentials/,
  ),
  one(
    'H17',
    'roles while no requester is identified',
    typeA({ more: ', auth: { required: true, read_roles: { r: [a] } }' }),
    /^auth\.enabled: /,
  ),
  one(
    'H17',
    'roles without required',
    withAuth('{ required: false, read_roles: { r: [a] } }'),
    /notification_schema\.a\.auth: .*need "required: true"/,
  ),
  one(
    'H17',
    'no plugin in the list',
    withAuth('{ required: true, plugins: [] }'),
    /notification_schema\.a\.auth\.plugins: .*at least one plugin/,
  ),
  one(
    'H17',
    'an unknown plugin',
    withAuth('{ required: true, plugins: [ecdps] }'),
    /notification_schema\.a\.auth\.plugins.*The only plugin is ecpds/,
  ),
  one(
    'H17',
    'a plugin without required',
    ecpds('', typeA({ more: ', auth: { required: false, plugins: [ecpds] }' })),
    /notification_schema\.a\.auth: .*need "required: true"/,
  ),
  one(
    'H17',
    'a realm with a space in a role map',
    withAuth('{ required: true, read_roles: { " r": [a] } }'),
    /notification_schema\.a\.auth\.read_roles.*space/,
  ),
  one(
    'H17',
    'an empty role map',
    withAuth('{ required: true, write_roles: {} }'),
    /notification_schema\.a\.auth\.write_roles: It must have at least one realm/,
  ),
  one(
    'H17',
    'ECPDS without encryption on another machine',
    ecpds('').replace('https:', 'http:'),
    /^ecpds\.servers: .*https/,
  ),
  one(
    'H17',
    'a query in the address of ECPDS',
    ecpds('').replace('example.org', 'example.org/?a=1'),
    /^ecpds\.servers: .*query/,
  ),
  one(
    'H17',
    'a fragment in the address of ECPDS',
    ecpds('').replace('example.org', 'example.org/#a'),
    /^ecpds\.servers: .*fragment/,
  ),
  one(
    'H17',
    'a match_key that need not be given',
    ecpds(', match_key: y').replace('match_key: x, ', ''),
    /^ecpds\.match_key: notification_schema\.a\.identifier\.y must have "required: true"/,
  ),
  one('H17', 'no match_key', ecpds('').replace(', match_key: x', ''), /^ecpds\.match_key: give the field/),
  one(
    'H17',
    'no server of ECPDS',
    ecpds('').replace('["https://e.example.org"]', '[]'),
    /^ecpds\.servers: give at least one/,
  ),
  one(
    'H17',
    'the plugin without ECPDS',
    withAuth('{ required: true, plugins: [ecpds] }'),
    /^ecpds\.servers: .*give the section ecpds/,
  ),
  one(
    'H17',
    'an unknown policy of outages',
    ecpds(', partial_outage_policy: some'),
    /^ecpds\.partial_outage_policy: "some" is not known/,
  ),
  one('H17', 'metrics without a port', 'metrics: { enabled: true }', /^metrics\.port: give the port/),
  one('H17', 'port 0 for metrics', 'metrics: { enabled: true, port: 0 }', /^metrics\.port: /),
  one(
    'H17',
    'the same port for metrics',
    'metrics: { enabled: true, port: 8000 }',
    /^metrics\.port: .*application\.port/,
  ),
  // The bad input of the issue, as far as no row above has it.
  one(
    'bad input',
    'an unknown handler',
    withField('{ type: StringHandlre }'),
    /notification_schema\.a\.identifier\.x.*StringHandler/,
  ),
  one(
    'bad input',
    'a map of roles that is a list',
    withAuth('{ required: true, read_roles: [a] }'),
    /notification_schema\.a\.auth\.read_roles: Roles are given by realm/,
  ),
  one(
    'bad input',
    'roles that are no list',
    withAuth('{ required: true, read_roles: { r: a } }'),
    /notification_schema\.a\.auth\.read_roles\.r: Roles are given as a list/,
  ),
  one(
    'bad input',
    'a misspelled map of roles',
    withAuth('{ required: true, raed_roles: { r: [a] } }'),
    /did you mean "read_roles"/,
  ),
  one(
    'bad input',
    'a point cloud in key_order',
    typeA({
      order: '[x, point_cloud]',
      identifier: `x: ${STRING}, point_cloud: { type: PointCloudHandler }`,
    }),
    /key_order: point_cloud cannot be in the order/,
  ),
  one(
    'bad input',
    'a field called point',
    typeA({ order: '[point]', identifier: `point: ${STRING}` }),
    /identifier\.point: "point" is what listeners ask for/,
  ),
  one(
    'bad input',
    'a range that is upside down',
    withField('{ type: IntHandler, range: [7, 1] }'),
    /identifier\.x\.range: The first element/,
  ),
  one(
    'bad input',
    'a default that is none',
    withField('{ type: ExpverHandler, default: [] }'),
    /identifier\.x\.default: It must be text/,
  ),
]
