import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { ClientError } from '#shared/client/client_error.ts'
import { explainAccess, type ExplainFlags } from '../../../../scripts/aviso/explain_access.ts'

const TOKENS = {
  kind: 'tokens',
  tokens: [
    { username: 'ann', realm: 'local', roles: ['admin'], secretEnv: 'ANN' },
    { username: 'tower', realm: 'local', secretEnv: 'TOWER' },
    { username: 'hub', realm: 'tree', secretEnv: 'HUB' },
  ],
}
const JWT = {
  kind: 'jwt',
  name: 'openid',
  issuer: 'https://issuer.test',
  audience: ['aviso'],
  algorithms: ['ES256'],
  keysUrl: 'https://issuer.test/keys',
  realm: 'openid',
}
const POLICY = {
  public: { listen: ['flight'] },
  rules: [
    {
      realm: 'local',
      users: ['tower'],
      publish: ['flight', { event: 'mars', prefixes: ['/ec/mars/test/'] }],
    },
    { realm: 'local', roles: ['admin'], listen: 'everything', admin: true },
    { realm: 'openid', claims: { team: ['x'] }, listen: ['/ec/diss/{destinations}/'] },
    { realm: 'tree', relay: true },
  ],
}

interface Said {
  readonly code: number
  readonly text: string
}

/** What the command prints, and its exit code; of an error its message. */
async function ask(
  words: readonly string[],
  options: ExplainFlags & { readonly json?: boolean } = {},
  vars: object = { identity: { providers: [TOKENS, JWT] }, policy: POLICY },
  files: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const file = JSON.stringify({
    ...configFile,
    vars: { ...configFile.vars, ...vars },
    env: { open: { vars: { identity: 'none', policy: { public: { listen: [] }, rules: [] } } } },
  })
  let text = ''
  try {
    const code = await explainAccess(
      { words, options },
      {
        output: { result: (part) => (text += part) },
        json: options.json === true,
        readText: (path) => {
          const found = { 'wrangler-like.config.json': file, ...files }[path]
          return found === undefined || found === ''
            ? Promise.reject(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }))
            : Promise.resolve(found)
        },
        environment: {},
        home: '/nowhere',
      },
    )
    return { code, text }
  } catch (error) {
    assert.ok(error instanceof ClientError, String(error))
    return { code: error.exitCode, text: error.message }
  }
}

/** Lines with single spaces. */
const linesOf = ({ text }: Said): readonly string[] =>
  text.split('\n').map((line) => line.replaceAll(/ +/g, ' ').trim())

describe('explainAccess()', () => {
  it('prints what a user may do, by which part of the configuration, and what does not apply', async () => {
    const said = await ask(['tower'])
    assert.equal(said.code, 0)
    assert.deepEqual(linesOf(said), [
      'tower of realm local, by wrangler-like.config.json',
      '',
      'RIGHT EVENT TYPE KEYS BY',
      'listen flight all vars.policy.public.listen.0',
      'publish flight all vars.policy.rules.0.publish.0',
      'publish mars /ec/mars/test/ vars.policy.rules.0.publish.1',
      'administer no',
      'relay no',
      '',
      'DOES NOT APPLY BECAUSE',
      'vars.policy.rules.1 has not the role admin',
      'vars.policy.rules.2 realm is not "openid"',
      'vars.policy.rules.3 realm is not "tree"',
    ])
  })

  it('reads what serve would: the built-in configuration, and one of 2.x', async () => {
    const builtIn = await ask(['ann'], {}, {}, { 'wrangler-like.config.json': '' })
    assert.match(builtIn.text, /^ann, by the built-in wrangler-like\.config\.json/)
    const yaml = `
application: { host: 127.0.0.1 }
notification_schema: { sky: { topic: { base: sky, key_order: [b] }, identifier: { b: { type: StringHandler } } } }
`
    const of2x = await ask(['ann'], { servicesConfig: 'server.yaml' }, {}, { 'server.yaml': yaml })
    assert.match(of2x.text, /^ann, by server\.yaml/)
    assert.match(of2x.text, /listen +sky +all/)
  })

  it('knows roles and realm of a token, and takes others from flags', async () => {
    assert.match((await ask(['ann'])).text, /administer +yes +vars\.policy\.rules\.1\.admin/)
    assert.match((await ask(['hub'])).text, /relay +yes +vars\.policy\.rules\.3\.relay/)
    assert.match((await ask(['ann'], { role: [] })).text, /administer +no/)
    const flags = { realm: 'openid', claim: ['team=x,y', 'destinations=FOO,BAR'] }
    assert.match(
      (await ask(['olga'], flags)).text,
      /dissemination +\/ec\/diss\/FOO\/ \/ec\/diss\/BAR\/ +vars\.policy\.rules\.2\.listen\.0/,
    )
  })

  it('answers a question with yes and no, an exit code, and the rule', async () => {
    const question = async (...words: string[]): Promise<readonly [number, string]> => {
      const { code, text } = await ask(words)
      return [code, text.split('\n')[0] ?? '']
    }
    assert.deepEqual(await question('tower', 'listen', 'flight', 'country=Italy'), [
      0,
      'yes: vars.policy.public.listen.0',
    ])
    assert.deepEqual(await question('tower', 'listen', 'mars'), [1, 'no: nothing grants it'])
    assert.deepEqual(await question('tower', 'publish', 'flight', 'airport=FCO,MXP'), [
      0,
      'yes: vars.policy.rules.0.publish.0',
    ])
    assert.deepEqual(await question('tower', 'publish', 'mars'), [
      1,
      'no: only a part of it is granted, by vars.policy.rules.0.publish.1',
    ])
    const flags = { realm: 'openid', claim: ['team=x', 'destinations=FOO'] }
    const partly = await ask(['olga', 'listen', 'dissemination', 'destination=FOO,BAR'], flags)
    assert.deepEqual(
      [partly.code, partly.text.split('\n')[0]],
      [1, 'no: only a part of it is granted, by vars.policy.rules.2.listen.0'],
    )
    assert.deepEqual(await question('ann', 'administer'), [0, 'yes: vars.policy.rules.1.admin'])
    assert.deepEqual(await question('ann', 'relay'), [1, 'no: nothing grants it'])
  })

  it('answers as JSON', async () => {
    const { text } = await ask(['listen', 'mars'], { anonymous: true, json: true })
    const { allowed, partly, by, unmet } = JSON.parse(text) as Record<string, unknown>
    assert.deepEqual([allowed, partly, by], [false, false, []])
    assert.deepEqual((unmet as { path: string }[]).map(({ path }) => path).at(-1), 'vars.policy.rules.3')
    const all = JSON.parse((await ask(['ann'], { json: true })).text) as Record<string, unknown>
    assert.deepEqual(all['user'], { realm: 'local', username: 'ann', roles: ['admin'], claims: {} })
    assert.deepEqual(all['administer'], { allowed: true, by: ['vars.policy.rules.1.admin'] })
    assert.deepEqual((all['rights'] as object[])[0], {
      right: 'listen',
      event: 'flight',
      keys: 'everything',
      by: 'vars.policy.public.listen.0',
    })
  })

  it('says that without identities everything is allowed', async () => {
    const open = { env: 'open' }
    assert.match((await ask(['joe'], open)).text, /administer +yes +vars\.identity/)
    assert.deepEqual(await ask(['joe', 'publish', 'mars'], open), { code: 0, text: 'yes: vars.identity' })
    assert.equal((await ask(['relay'], { ...open, anonymous: true })).code, 1)
  })

  it('asks for destinations where the answer depends on them', async () => {
    const url = 'https://ecpds.test/list'
    const destinations = { url, username: 'u', passwordEnv: 'P', realms: ['openid'] }
    const vars = { identity: { providers: [JWT] }, policy: { open: ['mars'], destinations } }
    const question = ['joe', 'listen', 'dissemination', 'destination=FOO']
    const unknown = await ask(question, {}, vars)
    assert.deepEqual([unknown.code, /--destinations/.test(unknown.text)], [2, true])
    assert.match((await ask(['joe'], {}, vars)).text, /\/ec\/diss\/\{each that ECPDS lists\}\//)
    assert.deepEqual(await ask(question, { destinations: 'FOO' }, vars), {
      code: 0,
      text: 'yes: vars.policy.destinations',
    })
    assert.equal((await ask(question, { destinations: 'BAR' }, vars)).code, 1)
    assert.equal((await ask(['joe', 'listen', 'mars'], {}, vars)).code, 0)
    assert.match((await ask(question, { destinations: 'F/O' }, vars)).text, /Not a destination: F\/O/)
    assert.match((await ask(['ann'], { destinations: 'FOO' })).text, /--destinations is for a policy with/)
  })

  it('says what is wrong with a question, and exits with 2', async () => {
    const rows: readonly (readonly [readonly string[], ExplainFlags, RegExp])[] = [
      [[], {}, /Name a user, or give --anonymous/],
      [['ann', 'lsten', 'flight'], {}, /no right "lsten": did you mean "listen"\?/],
      [['ann', 'listen'], {}, /Say which event type: flight, dissemination, mars/],
      [['ann', 'listen', 'fligth'], {}, /did you mean "flight"\?/],
      [['ann', 'listen', 'flight', 'contry=x'], {}, /flight has no field "contry": did you mean "country"\?/],
      [['ann', 'listen', 'flight', 'Italy'], {}, /Not a name and its value: Italy/],
      [['ann', 'listen', 'dissemination'], {}, /Give destination=VALUE/],
      [['ann', 'administer', 'flight'], {}, /administer goes without an event type/],
      [['joe'], { claim: ['x'] }, /Not a name and its value: x/],
      [['listen', 'flight'], { anonymous: true, role: ['x'] }, /leave --realm, --role and --claim out/],
      [['joe'], { env: 'nope' }, /no environment "nope"/],
      [['joe'], { servicesConfig: 'other.json' }, /Cannot read the configuration file "other\.json"/],
    ]
    for (const [words, flags, message] of rows) {
      const { code, text } = await ask(words, flags)
      assert.equal(code, 2, words.join(' '))
      assert.match(text, message)
    }
    const alone = { identity: { providers: [TOKENS] }, policy: POLICY }
    assert.match(
      (await ask(['an'], {}, { ...alone, policy: { open: ['mars'] } })).text,
      /No provider knows a user an/,
    )
    const wrong = await ask(['ann'], {}, { ...alone, policy: { rules: [{ realm: 'locl', admin: true }] } })
    assert.match(wrong.text, /rules\.0\.realm: .*did you mean "local"\?$/)
  })

  it('asks for the realm where there are several', async () => {
    const both = {
      identity: { providers: [JWT, { ...JWT, name: 'other', realm: 'second' }] },
      policy: { open: ['mars'] },
    }
    assert.match(
      (await ask(['joe'], {}, both)).text,
      /Say with --realm which realm joe is of, such as openid or second/,
    )
  })
})
