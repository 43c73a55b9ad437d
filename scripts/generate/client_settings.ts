/**
 * Generates the page of the client's settings from the table that the client reads.
 *
 * @module
 */

import { OTHER_VARIABLES, SETTINGS, IGNORED_VARIABLES } from '../aviso/client_settings.ts'
import { code, generatedDocument, table } from './markdown.ts'

const INTRODUCTION = `Everything that the client can be told, in one place. \`npm run aviso -- config show\` prints the effective value of each
setting and where it comes from; \`--json\` prints the same for programs. Secrets are shortened.`

const LAYERS = `These layers are laid over one another, value by value. A later one wins:

1. defaults
2. \`/etc/aviso/config.yaml\`
3. \`~/.aviso/config.yaml\`
4. the file in \`AVISO_CONFIG\`
5. the file of \`--config\`
6. environment variables
7. flags

Files 2 and 3 may be missing; 4 and 5 may not. The files are 1.x's. An empty variable counts as not set. \`true\`, \`yes\`,
\`on\` and \`1\` mean yes; \`false\`, \`no\`, \`off\` and \`0\` mean no. \`~\` in a path is the home folder.

A key or a variable that begins with \`AVISO_\` and means nothing is told, with what may have been meant. Keys and
variables of 1.x that have no use here are passed over.`

const CREDENTIALS = `A token comes from \`--token-file\`, \`AVISO_TOKEN\`, \`AVISO_TOKEN_FILE\` or \`token_file\`; the first that is there counts.
It is sent as \`Authorization: Bearer …\`, with \`auth_type\` \`ecmwf\` or \`openid\` also with 1.x's \`X-Auth-Type\`. \`--key\`
wins over all of them. Without a token, \`auth_type\` says what becomes of \`key_file\`; for \`none\` nothing is sent, and the
client warns where a \`key_file\` is set. A file is read again when the service answers 401, so keys can be renewed under
running listeners. A configuration file must not hold a token, and no flag takes one, because others can read both.
Commands of triggers do not get \`AVISO_TOKEN\`.`

const PROXIES = `\`http_proxy\`, \`https_proxy\` and \`no_proxy\` count for every request of the client, \`post\` triggers too. Names in
small letters come before capital ones. \`no_proxy\` has names between commas: \`host\`, \`.domain\` (with its
sub-domains), \`10.0.0.0/8\`, each also with \`:port\`, or \`*\`. This machine (\`localhost\`, \`127.…\`, \`::1\`) is never
behind a proxy. A user name and a password stand in the address: \`http://user:password@host:port\`. A proxy of another
kind than HTTP is refused. \`config show\` says which one the service is behind.

**Own certificate authorities.** \`ca_file\` names a file of them (PEM). They count beside the usual ones, for every
request of the client, \`post\` triggers too, also through a proxy. \`SSL_CERT_FILE\` is read where nothing else names
one. \`NODE_EXTRA_CA_CERTS=FILE\` works, too.`

const LISTENERS = `\`listeners:\` in a configuration file is the list of a listener file: what \`listen\` runs when no file is named. The last
layer that has the key wins, whole. Each listener has

| key | meaning |
| --- | --- |
| \`event\` | event type; required |
| \`request\` | fields and the values that match, one or a list; required, may be empty |
| \`triggers\` | list of what to do: [README.md](README.md#listening); required |
| \`when\` | runs triggers for whole runs: \`started\`, \`complete\`, \`late\`, \`recovered\`, \`incomplete\`, or a list: [RUNS.md](RUNS.md#triggers-for-whole-runs) |
| \`name\` | tells listeners with the same event and request apart, because each keeps a position of its own; also shown in errors |`

/** The text of `scripts/aviso/CONFIGURATION.md`. */
export function clientSettingsText(): string {
  return generatedDocument('Settings of the client', '`scripts/aviso/client_settings.ts`', [
    INTRODUCTION,
    '## Where settings come from',
    LAYERS,
    '## Settings',
    table(
      ['setting', 'in a file', 'environment', 'flag', 'default', 'meaning'],
      SETTINGS.map(({ name, key = '', variable = '', flag = '', default: value = '', meaning }) => [
        code(name),
        code(key),
        code(variable),
        code(flag),
        code(value),
        meaning,
      ]),
    ),
    'Other variables:',
    table(
      ['environment', 'meaning'],
      [
        ...OTHER_VARIABLES.map(([variable, meaning]) => [code(variable), meaning]),
        [IGNORED_VARIABLES.map(code).join(', '), 'of 1.x, passed over'],
      ],
    ),
    '## Tokens and keys',
    CREDENTIALS,
    '## Proxies and certificates',
    PROXIES,
    '## Listeners',
    LISTENERS,
  ])
}
