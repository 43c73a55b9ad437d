import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import { dataFolderOf } from '../../../../scripts/aviso/services_store.ts'
import { temporaryFolder } from '../../../support/server.ts'

describe('dataFolderOf()', () => {
  it('reads a configuration of 2.x, as serve does', async (context) => {
    const file = join(await temporaryFolder(context), 'server.yaml')
    await writeFile(file, 'application: { host: 127.0.0.1 }\n')
    assert.equal(await dataFolderOf({ servicesConfig: file }), 'data')
  })

  it('says what is wrong with one', async (context) => {
    const file = join(await temporaryFolder(context), 'server.yaml')
    await writeFile(file, 'notification_backend: { kind: kafka }\n')
    await assert.rejects(dataFolderOf({ servicesConfig: file }), {
      code: 'ERR_CONFIG',
      message: /server\.yaml: notification_backend\.kind: .*kafka/,
    })
  })
})
