/**
 * The whole system with identities and a policy: a store in memory, real ingest, hub, listening and admin services, asked through the Fetch
 * handler; stand-ins for every server behind, over sockets.
 *
 * @module
 */

import assert from 'node:assert/strict'

import { startSystem, type System } from '#services/system/system.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { END_OF_KEYS, toText } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../support/memory_store.ts'
