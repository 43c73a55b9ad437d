import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTrigger } from '../../../../../scripts/aviso/triggers/create_trigger.ts'
import { TriggerError } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { never, notification, recordedOutput, triggerHost } from '../fixture.ts'

describe('echo trigger', () => {
  it('prints JSON as 1.x does: four spaces, sorted keys', async () => {
    const output = recordedOutput()
    await createTrigger({ type: 'echo' }, triggerHost(output)).run(
      notification({ request: { b: '1', a: '2' } }),
      never,
    )
    assert.deepEqual(output.results, [
      '{\n    "event": "flight",\n    "payload": "Landed",\n    "request": {\n        "a": "2",\n        "b": "1"\n    }\n}',
    ])
  })

  it('leaves out a payload that is absent', async () => {
    const output = recordedOutput()
    const { payload: _payload, ...bare } = notification()
    await createTrigger({ type: 'echo' }, triggerHost(output)).run(bare, never)
    assert.equal(output.results[0]?.includes('payload'), false)
  })
})

describe('log trigger', () => {
  it('appends a line as 1.x does, whatever the payload holds', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
    context.after(() => rm(folder, { recursive: true }))
    const path = join(folder, 'x.log')
    const trigger = createTrigger({ type: 'log', path }, triggerHost())
    await trigger.run(notification({ request: { number: 'AZ203' } }), never)
    await trigger.run(notification({ request: {}, payload: "it's\nforged" }), never)
    const lines = (await readFile(path, 'utf8')).split('\n')
    assert.match(
      lines[0] ?? '',
      /^2026-08-1\d \d\d:\d\d:00,000 - aviso - INFO - Notification received: \{'event': 'flight', 'request': \{'number': 'AZ203'\}, 'payload': 'Landed'\}$/,
    )
    assert.match(lines[1] ?? '', /: \{'event': 'flight', 'request': \{\}, 'payload': "it's\\nforged"\}$/)
    assert.equal(lines.length, 3)
  })

  it('fails when the folder is not there', async () => {
    assert.throws(
      () => createTrigger({ type: 'log', path: '/no/such/folder/x.log' }, triggerHost()),
      /there is no folder \/no\/such\/folder/,
    )
    const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
    const trigger = createTrigger({ type: 'log', path: join(folder, 'x.log') }, triggerHost())
    await rm(folder, { recursive: true })
    await assert.rejects(trigger.run(notification(), never), TriggerError)
  })
})
