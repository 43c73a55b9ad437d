/**
 * The subscription index finds the groups that take an event. So the cost of an event depends on the listeners that it reaches, not on
 * the number of all listeners.
 *
 * @module
 */

import { satisfies } from '#shared/notification/match.ts'
import { createGeometryIndex, type GeometryIndex } from '#shared/geometry/geometry_index.ts'
import type {
  NotificationRequest,
  PlaceCondition,
  StoredGeometry,
} from '#shared/notification/notification.ts'
import { storedShape } from '#shared/notification/stored_shape.ts'
import type { KeyRange, StoreEvent } from '#shared/store/store.ts'
import type { Entry } from './source/entry.ts'
import { createRangeIndex } from './range_index.ts'
import { isInRanges, type Matcher, type Predicate } from './source/matcher.ts'

/** An item of the index: it takes notifications or revisions. */
export interface Indexed {
  readonly matcher: Matcher
}

export interface SubscriptionIndex<Item extends Indexed> {
  add(item: Item): void
  remove(item: Item): void
  /** Calls `hit` for each item and each place of an entry that the item takes. The places of one item ascend, each comes once. */
  visit(entry: Entry, hit: (item: Item, place: number) => void): void
}

export function createSubscriptionIndex<Item extends Indexed>(): SubscriptionIndex<Item> {
  const tables = new Map<string, EventTable<Item>>()
  const ranges = createRangeIndex<Item>()
  return {
    add: (item) => {
      const { matcher } = item
      if (matcher.kind === 'ranges') return ranges.add(item, rangesOf(matcher))
      let table = tables.get(matcher.event)
      if (table === undefined) {
        table = createEventTable()
        tables.set(matcher.event, table)
      }
      table.add(item, matcher.predicates)
    },
    remove: (item) => {
      const { matcher } = item
      if (matcher.kind === 'ranges') return ranges.remove(item, rangesOf(matcher))
      const table = tables.get(matcher.event)
      table?.remove(item)
      if (table?.isEmpty() === true) tables.delete(matcher.event)
    },
    visit: (entry, hit) => {
      for (const notification of entry.notifications) {
        if (notification === undefined) continue
        const { event, request, index } = notification
        tables.get(event)?.visit(request, (item) => hit(item, index))
      }
      if (!ranges.isEmpty()) visitRanges(ranges.find, entry, hit)
    },
  }
}

function visitRanges<Item extends Indexed>(
  find: (key: Uint8Array) => Iterable<Item>,
  entry: Entry,
  hit: (item: Item, place: number) => void,
): void {
  const seen = new Set<Item>()
  const visit = (events: readonly StoreEvent[], list: 'ranges' | 'relayed'): void => {
    for (const { kv } of events) {
      for (const item of find(kv.key)) {
        if (seen.has(item)) continue
        const { matcher } = item
        if (matcher.kind !== 'ranges' || !isInRanges(matcher[list], kv.key)) continue
        seen.add(item)
        hit(item, 0)
      }
    }
  }
  visit(entry.events, 'ranges')
  visit(entry.relayed, 'relayed')
}

function rangesOf({ ranges, relayed }: Extract<Matcher, { kind: 'ranges' }>): readonly KeyRange[] {
  return [...ranges, ...relayed]
}

/** All items for one event type. An item with a condition on the values of a field is filed under these values. */
interface EventTable<Item> {
  add(item: Item, predicates: readonly Predicate[]): void
  remove(item: Item): void
  isEmpty(): boolean
  visit(request: NotificationRequest, hit: (item: Item) => void): void
}

/** An item, with the predicates that are still to check after a lookup by value or by place. */
interface Filed<Item> {
  readonly item: Item
  readonly field: string | undefined
  readonly values: ReadonlySet<string>
  readonly rest: readonly Predicate[]
}

const NO_VALUES: ReadonlySet<string> = new Set()
/** Items that a lookup by values may find; with more, a lookup by place is cheaper. */
const MOST_BY_VALUE = 16

function createEventTable<Item>(): EventTable<Item> {
  const filed = new Map<Item, Filed<Item>>()
  /** Field → value → items. */
  const fields = new Map<string, Map<string, Set<Filed<Item>>>>()
  const places = new Map<string, PlaceTable<Item>>()
  /** Take items out of the lookup by place. */
  const removers = new Map<Item, () => void>()
  const others = new Set<Filed<Item>>()

  /** The cost of filing one more item under these values: how many items the lookups by these values would then check. */
  const costOf = (field: string, values: ReadonlySet<string>): number => {
    const buckets = fields.get(field)
    let cost = 0
    for (const value of values) cost += 1 + (buckets?.get(value)?.size ?? 0)
    return cost
  }
  /** The predicate whose field distinguishes items best now: the destination, for instance, when thousands share a class. */
  const choose = (predicates: readonly Predicate[]): Predicate | undefined => {
    let chosen: Predicate | undefined
    let least = Infinity
    for (const predicate of predicates) {
      const [field, condition] = predicate
      if (condition.kind !== 'in') continue
      const cost = costOf(field, condition.values)
      if (cost >= least) continue
      least = cost
      chosen = predicate
    }
    return least > MOST_BY_VALUE ? (predicates.find(([, { kind }]) => kind === 'meets') ?? chosen) : chosen
  }
  return {
    add: (item, predicates) => {
      const chosen = choose(predicates)
      const condition = chosen?.[1]
      const rest = predicates.filter((predicate) => predicate !== chosen)
      if (chosen !== undefined && condition?.kind === 'meets') {
        const entry = { item, field: undefined, values: NO_VALUES, rest }
        filed.set(item, entry)
        removers.set(item, placeTableOf(places, chosen[0], condition).index.add(condition.shape, entry))
        return
      }
      const entry: Filed<Item> = {
        item,
        field: chosen?.[0],
        values: condition?.kind === 'in' ? condition.values : NO_VALUES,
        rest,
      }
      filed.set(item, entry)
      if (entry.field === undefined) others.add(entry)
      else for (const value of entry.values) bucketOf(fields, entry.field, value).add(entry)
    },
    remove: (item) => {
      const entry = filed.get(item)
      if (entry === undefined) return
      filed.delete(item)
      removers.get(item)?.()
      removers.delete(item)
      others.delete(entry)
      if (entry.field === undefined) return
      const buckets = fields.get(entry.field)
      for (const value of entry.values) {
        const bucket = buckets?.get(value)
        bucket?.delete(entry)
        if (bucket?.size === 0) buckets?.delete(value)
      }
      if (buckets?.size === 0) fields.delete(entry.field)
    },
    isEmpty: () => filed.size === 0,
    visit: (request, hit) => {
      const offer = ({ item, rest }: Filed<Item>): void => {
        if (satisfies(rest, request)) hit(item)
      }
      for (const [field, buckets] of fields) {
        const value = request[field]
        if (value !== undefined) buckets.get(value)?.forEach(offer)
      }
      visitPlaces(places, request, offer)
      others.forEach(offer)
    },
  }
}

/** The items with a place, for one field. */
interface PlaceTable<Item> {
  readonly stored: StoredGeometry
  readonly index: GeometryIndex<Filed<Item>>
}

function placeTableOf<Item>(
  places: Map<string, PlaceTable<Item>>,
  field: string,
  { stored }: PlaceCondition,
): PlaceTable<Item> {
  let table = places.get(field)
  if (table === undefined) {
    table = { stored, index: createGeometryIndex() }
    places.set(field, table)
  }
  return table
}

/** The index is exact, so what it finds meets the notification. */
function visitPlaces<Item>(
  places: ReadonlyMap<string, PlaceTable<Item>>,
  request: NotificationRequest,
  offer: (entry: Filed<Item>) => void,
): void {
  for (const [field, { stored, index }] of places) {
    const text = request[field]
    if (text === undefined || index.isEmpty()) continue
    const shape = storedShape(stored, text)
    if (shape !== undefined) index.matches(shape).forEach(offer)
  }
}

function bucketOf<Item>(
  fields: Map<string, Map<string, Set<Item>>>,
  field: string,
  value: string,
): Set<Item> {
  let buckets = fields.get(field)
  if (buckets === undefined) {
    buckets = new Map()
    fields.set(field, buckets)
  }
  let bucket = buckets.get(value)
  if (bucket === undefined) {
    bucket = new Set()
    buckets.set(value, bucket)
  }
  return bucket
}
