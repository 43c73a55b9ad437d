/**
 * The descriptions of all routes, of every service: what the document of the API is made from. The first request for the document loads them.
 *
 * @module
 */

import type { RoomDoc } from '#shared/http/doc.ts'

/** Loads the descriptions, in the order of the document. */
export async function loadContract(): Promise<readonly RoomDoc[]> {
  const [rest, listen, history, explain, auth, admin, monitoring, facade, system, reference, page, runs] =
    await Promise.all([
      import('#services/rest/doc.ts'),
      import('#services/auth/listen/doc.ts'),
      import('#services/auth/history/doc.ts'),
      import('#services/auth/explain/doc.ts'),
      import('#services/auth/doc.ts'),
      import('#services/admin/doc.ts'),
      import('#services/monitoring/doc.ts'),
      import('#services/auth/etcd_facade/doc.ts'),
      import('./doc.ts'),
      import('#services/reference/doc.ts'),
      import('#services/console/doc.ts'),
      import('#services/runs/doc.ts'),
    ])
  return [
    rest.doc,
    listen.doc,
    history.doc,
    explain.doc,
    runs.doc,
    auth.doc,
    auth.streamsDoc,
    system.operatingDoc,
    admin.doc,
    monitoring.doc,
    facade.doc,
    system.doc,
    reference.doc,
    page.doc,
  ]
}
