/**
 * Mutants of what the services make of identity and policy, and of the parsers in front.
 *
 * @module
 */

import type { Mutant } from './mutant.ts'

/** Every one. */
export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    file: 'shared/access/quota/buckets.ts',
    from: 'const now = clock.monotonic()',
    to: 'const now = clock.now()',
    tests: ['quota'],
  },
  {
    file: 'shared/access/quota/buckets.ts',
    from: 'if (current(key).tokens < 1) return false',
    to: '',
    tests: ['quota'],
  },
  {
    file: 'services/rest/ingest.ts',
    from: 'if (reason !== undefined) throw',
    to: 'if (false) throw',
    tests: ['runsRights'],
  },
  {
    file: 'services/runs/run_routes.ts',
    from: 'return (name) => contains(visible, toBytes(keys.baseOf(name)))',
    to: 'return () => visible.length > 0',
    tests: ['runsRights'],
  },
  {
    file: 'shared/access/quota/slots.ts',
    from: 'if (count >= most) return undefined',
    to: '',
    tests: ['quota'],
  },
  { file: 'shared/access/quota/slots.ts', from: 'if (!isHeld) return', to: '', tests: ['quota'] },
  {
    file: 'shared/access/audit/audit.ts',
    from: '.replaceAll(BEYOND_ASCII, escape)',
    to: '',
    tests: ['audit'],
  },
  {
    file: 'shared/access/interval.ts',
    from: 'compareBytes(x.start, y.start) >= 0 ? x.start : y.start',
    to: 'x.start',
    tests: ['interval'],
  },
  {
    file: 'services/auth/etcd_facade/range.ts',
    from: 'if (!result.kvs.every((kv) => contains(visible, kv.key))) {',
    to: 'if (false) {',
    tests: ['facade'],
  },
  {
    file: 'services/auth/etcd_facade/facade.ts',
    from: "const grant = await listener.grant([asked], 'narrow')",
    to: "const grant = await listener.grant([{ key: asked.key }], 'narrow')",
    tests: ['watch'],
  },
  {
    file: 'services/auth/etcd_facade/fields.ts',
    from: 'if (other !== given && Object.hasOwn(message, other))',
    to: 'if (false)',
    tests: ['facade'],
  },
  {
    file: 'services/auth/etcd_facade/fields.ts',
    from: 'if (!isEndOfKeys(end) && compareBytes(key, end) >= 0) {',
    to: 'if (false) {',
    tests: ['hostile'],
  },
  {
    file: 'shared/access/quota/quotas.ts',
    from: 'if (!opened.isTaken) return',
    to: 'if (!opened.isTaken && false) return',
    tests: ['streams'],
  },
  {
    file: 'shared/access/quota/quotas.ts',
    from: "?? { kind: 'streams' }",
    to: '?? nothing',
    tests: ['streams'],
  },
  { file: 'shared/access/listening.ts', from: '        giveBack()\n', to: '', tests: ['streams'] },
  {
    file: 'services/auth/listen/listen.ts',
    from: "bases.map(prefixRange), 'refuse'",
    to: "bases.slice(0, 1).map(prefixRange), 'refuse'",
    tests: ['hostile'],
  },
  {
    file: 'services/rest/ingest.ts',
    from: '  origin.provider.requirePublish(item.event, item.keys.stem)\n',
    to: '',
    tests: ['parity', 'hostile'],
  },
  {
    file: 'shared/access/publishing.ts',
    from: 'key: toBytes(key)',
    to: "key: toBytes('/ec/diss/SCL/x')",
    tests: ['parity', 'hostile'],
  },
  {
    file: 'shared/access/administration.ts',
    from: 'if (!policy().isAdmin(requester.identity)) throw',
    to: 'if (false) throw',
    tests: ['parity', 'hostile'],
  },
  {
    file: 'shared/access/policy/address.ts',
    from: 'trustedProxies === 0 ? undefined :',
    to: 'false ? undefined :',
    tests: ['address'],
  },
  {
    file: 'scripts/serve/options.ts',
    from: "if (vars.identity !== 'none' || isLoopback(dev.host)) return",
    to: 'return',
    tests: ['launcher'],
  },
  {
    file: 'shared/access/shapes.ts',
    from: "return protocol === 'https:' || isLoopback(hostname.replace(/^\\[(.*)\\]$/, '$1'))",
    to: 'return true',
    tests: ['config'],
  },
  {
    file: 'shared/access/identity/settings.ts',
    from: 'const allowed: readonly string[] = secretEnvs === undefined ? ASYMMETRIC : SYMMETRIC',
    to: 'const allowed: readonly string[] = [...ASYMMETRIC, ...SYMMETRIC]',
    tests: ['config'],
  },
  { file: 'shared/runtime/node_strict.ts', from: 'hosts > 1', to: 'hosts > 2', tests: ['strict'] },
  { file: 'shared/runtime/node_strict.ts', from: '|| AMBIGUOUS_PATH.test(path)', to: '', tests: ['strict'] },
  {
    file: 'shared/json/strict_json.ts',
    from: "if (names.has(name)) fail('duplicate name', at)",
    to: '',
    tests: ['json'],
  },
  {
    file: 'shared/json/strict_json.ts',
    from: "if (isForbiddenName(name)) fail('forbidden name', at)",
    to: '',
    tests: ['json'],
  },
  {
    file: 'shared/json/strict_json.ts',
    from: "if (!value.isWellFormed()) fail('lone surrogate in a string', start)",
    to: '',
    tests: ['json'],
  },
  {
    file: 'shared/access/publishing.ts',
    from: 'if (taken?.isTaken === false) {',
    to: 'if (false) {',
    tests: ['publishing'],
  },
  {
    file: 'services/auth/etcd_facade/facade.ts',
    from: 'charge(costOfRead(result, counted.sum()))',
    to: '',
    tests: ['facade'],
  },
  {
    file: 'services/auth/etcd_facade/facade.ts',
    from: 'costOfRead(result, counted.sum())',
    to: 'costOfRead(result)',
    tests: ['facade'],
  },
  {
    file: 'shared/access/publishing.ts',
    from: 'if (identity === undefined) takeNameless(takes)',
    to: '',
    tests: ['publishing'],
  },
  {
    file: 'shared/access/quota/shares.ts',
    from: 'if (isUsedUp(tier)) return undefined',
    to: '',
    tests: ['shares'],
  },
  {
    file: 'shared/access/listening_limits.ts',
    from: 'const key = networkIn(from)',
    to: 'const key: string | undefined = name',
    tests: ['shares'],
  },
  {
    file: 'services/auth/trace_routes.ts',
    from: 'charge(metered.cost())',
    to: '',
    tests: ['shares'],
  },
  {
    file: 'shared/access/own_machine.ts',
    from: "if (!LOOPBACK_HOST.test(host) && host !== hostIn(baseUrl())) return refuse(request, misdirected(), 'host')",
    to: '',
    tests: ['ownMachine'],
  },
  {
    file: 'shared/access/own_machine.ts',
    from: "if (isForeignWrite(request, host)) return refuse(request, foreignPage(), 'page')",
    to: '',
    tests: ['ownMachine'],
  },
  {
    file: 'shared/access/own_machine.ts',
    from: 'return withoutCors(await handler(request))',
    to: 'return handler(request)',
    tests: ['ownMachine'],
  },
  {
    file: 'services/system/system.ts',
    from: 'return access.guard(forConfiguredPages(dispatcher, parts.config))',
    to: 'return forConfiguredPages(dispatcher, parts.config)',
    tests: ['ownMachine'],
  },
]
