/**
 * The client's settings: their names in files, environment and flags. Everything that reads or shows settings reads this table.
 *
 * @module
 */

/** A setting, and where it can be set. */
export interface SettingDefinition {
  readonly name: string
  /** Key in a configuration file. */
  readonly key?: string
  /** Environment variable. */
  readonly variable?: string
  /** Flag, as help shows it. */
  readonly flag?: string
  readonly default?: string
  readonly meaning: string
}

/** All settings, in the order in which they are shown. */
export const CLIENT_SETTINGS = [
  {
    name: 'base_url',
    variable: 'AVISO_BASE_URL',
    meaning: 'the whole address of the service, in place of host, port and https',
  },
  {
    name: 'host',
    key: 'notification_engine.host',
    variable: 'AVISO_NOTIFICATION_HOST',
    flag: '--host',
    default: '127.0.0.1',
    meaning: 'host of the service; the flag also replaces the host of `AVISO_BASE_URL`',
  },
  {
    name: 'port',
    key: 'notification_engine.port',
    variable: 'AVISO_NOTIFICATION_PORT',
    flag: '--port',
    default: '8080',
    meaning: 'port of the service; the flag also replaces the port of `AVISO_BASE_URL`',
  },
  {
    name: 'https',
    key: 'notification_engine.https',
    variable: 'AVISO_NOTIFICATION_HTTPS',
    default: 'false',
    meaning: 'whether the connection is encrypted',
  },
  {
    name: 'timeout',
    key: 'notification_engine.timeout',
    variable: 'AVISO_TIMEOUT',
    default: '60',
    meaning: 'longest wait for an answer, seconds; `null`: no limit',
  },
  {
    name: 'automatic_retry_delay',
    key: 'notification_engine.automatic_retry_delay',
    variable: 'AVISO_AUTOMATIC_RETRY_DELAY',
    default: '30',
    meaning: 'longest pause between two attempts, seconds',
  },
  {
    name: 'catchup',
    key: 'notification_engine.catchup',
    variable: 'AVISO_NOTIFICATION_CATCHUP',
    default: 'true',
    meaning: 'whether listeners go on where the last run ended',
  },
  {
    name: 'type',
    key: 'notification_engine.type',
    variable: 'AVISO_NOTIFICATION_ENGINE',
    default: 'etcd_rest',
    meaning: 'of 1.x; this client always uses HTTP, and says so for any other value',
  },
  {
    name: 'token',
    variable: 'AVISO_TOKEN',
    meaning: 'a token that is sent as `Authorization: Bearer …`',
  },
  {
    name: 'token_file',
    key: 'token_file',
    variable: 'AVISO_TOKEN_FILE',
    flag: '--token-file',
    meaning: 'file that holds such a token; it is read again after a 401',
  },
  {
    name: 'auth_type',
    key: 'auth_type',
    variable: 'AVISO_AUTH_TYPE',
    default: 'none',
    meaning: '`none`, `bearer`, `ecmwf`, `openid`, or `plain` (user name and key)',
  },
  {
    name: 'username',
    key: 'username',
    variable: 'AVISO_USERNAME',
    flag: '--username',
    meaning: 'user name, which only `plain` needs',
  },
  {
    name: 'username_file',
    key: 'username_file',
    variable: 'AVISO_USERNAME_FILE',
    meaning: 'file that holds the user name; only the flag `--username` wins over it',
  },
  {
    name: 'key_file',
    key: 'key_file',
    variable: 'AVISO_KEY_FILE',
    flag: '--key',
    default: '/etc/aviso/key',
    meaning: 'file that holds the key, for every `auth_type` but `none`',
  },
  {
    name: 'ca_file',
    key: 'ca_file',
    variable: 'AVISO_CA_FILE',
    flag: '--ca-file',
    meaning:
      'file with certificate authorities that are trusted besides the usual ones, PEM; also read from `SSL_CERT_FILE`, where nothing else names one',
  },
  {
    name: 'state',
    variable: 'AVISO_STATE',
    flag: '--state',
    default: '~/.aviso/state',
    meaning: 'folder of the positions of listeners',
  },
  {
    name: 'log',
    variable: 'AVISO_LOG',
    flag: '--log',
    meaning: 'file to which messages are written, too',
  },
  {
    name: 'debug',
    key: 'debug',
    variable: 'AVISO_DEBUG',
    flag: '--debug',
    default: 'false',
    meaning: 'print more messages',
  },
  {
    name: 'quiet',
    key: 'quiet',
    variable: 'AVISO_QUIET',
    flag: '--quiet',
    default: 'false',
    meaning: 'print only results and errors',
  },
  {
    name: 'no_fail',
    key: 'no_fail',
    variable: 'AVISO_NO_FAIL',
    flag: '--no-fail',
    default: 'false',
    meaning: 'exit with 0 whatever happens',
  },
] as const satisfies readonly SettingDefinition[]

export type SettingName = (typeof CLIENT_SETTINGS)[number]['name']

/** The table, without the types of its single rows. */
export const SETTINGS: readonly (SettingDefinition & { readonly name: SettingName })[] = CLIENT_SETTINGS

/** Variables that the client reads and that are no settings. */
export const OTHER_VARIABLES: readonly (readonly [variable: string, meaning: string])[] = [
  ['AVISO_CONFIG', 'a configuration file, laid over the two others'],
  ['AVISO_MAX_FILE_SIZE', 'longest file that `config push` takes, KiB (500)'],
]

/** Variables of 1.x that mean nothing here, and are passed over. */
export const IGNORED_VARIABLES: readonly string[] = [
  'AVISO_NOTIFICATION_SERVICE',
  'AVISO_POLLING_INTERVAL',
  'AVISO_CONFIGURATION_HOST',
  'AVISO_CONFIGURATION_PORT',
  'AVISO_CONFIGURATION_HTTPS',
  'AVISO_CONFIGURATION_ENGINE',
  'AVISO_KEY_TTL',
  'AVISO_SCHEMA_PARSER',
  'AVISO_REMOTE_SCHEMA',
]
