/**
 * Keys whose rights follow those of other keys: who may see the notification of a run is decided by who may see its products.
 *
 * @module
 */

import { compareBytes, prefixEnd, toText } from '#shared/bytes/bytes.ts'
import { covers, intersect, normalise, subtract, type IntervalSet } from '../interval.ts'
import { setOf, type Grant } from './grants.ts'

/** Where the keys of one event type lead. */
export interface FollowedRoot {
  /** Prefix of the keys that decide, such as `/ec/diss/`. */
  readonly from: string
  /** Prefix of the keys that follow them, such as `/aviso/run/dissemination/`. */
  readonly to: string
  /**
   * What comes behind `to`, segment by segment: `taken` from the same place behind `from`, or a fixed text. A grant with more segments
   * than are taken leads to nothing, because it is for a part of what the followers are about.
   */
  readonly segments: readonly ('taken' | { readonly fixed: string })[]
}

/** Keys that follow others. */
export interface Following {
  /** The event type of the keys. */
  readonly event: string
  /** Prefix of all of them, with a slash at both ends. */
  readonly root: string
  readonly roots: readonly FollowedRoot[]
}

/**
 * Makes a function from granted keys to the keys that are granted in fact: what is granted below {@link Following.root} itself counts for
 * nothing, and what follows the rest is added.
 */
export function createFollow(following: Following): (granted: IntervalSet) => IntervalSet {
  const own = setOf([following.root])
  return (granted) => {
    const others = subtract(granted, own)
    return normalise([...others, ...setOf(followersOf(following, others))])
  }
}

/** The same for grants: each gives up its keys below the root, and a second one has what follows the rest. */
export function followGrants(following: Following, grants: readonly Grant[]): readonly Grant[] {
  const own = setOf([following.root])
  return grants.flatMap((grant): readonly Grant[] => {
    const others = subtract(grant.keys, own)
    const followers = followersOf(following, others)
    const rest = { ...grant, keys: others }
    if (followers.length === 0) return [rest]
    const prefixes = followers.includes(following.root) ? 'everything' : followers
    return [rest, { path: grant.path, event: following.event, prefixes, keys: setOf(followers) }]
  })
}

/** Prefixes of the keys that follow these. */
function followersOf({ root, roots }: Following, keys: IntervalSet): readonly string[] {
  if (roots.length > 0 && roots.every(({ from }) => covers(keys, setOf([from])))) return [root]
  return roots.flatMap((each) => {
    const deciding = setOf([each.from])
    if (covers(keys, deciding)) return [each.to]
    return intersect(keys, deciding).flatMap(({ start, end }) => {
      const prefix = toText(start)
      // Granted keys are made of prefixes. Anything else, such as one key, does not grant all products of a run.
      const isPrefix = prefix.endsWith('/') && end !== undefined && compareBytes(prefixEnd(start), end) === 0
      return isPrefix ? follow(each, prefix) : []
    })
  })
}

function follow({ from, to, segments }: FollowedRoot, prefix: string): readonly string[] {
  const wanted = prefix.slice(from.length, -1).split('/')
  let follower = to
  for (const segment of segments) {
    if (segment !== 'taken') {
      follower += `${segment.fixed}/`
      continue
    }
    const next = wanted.shift()
    if (next === undefined) break
    follower += `${next}/`
  }
  return wanted.length === 0 ? [follower] : []
}
