import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { openPosition, type PositionKey } from '../../../../scripts/aviso/position.ts'

const KEY: PositionKey = {
  server: 'http://a',
  event: 'flight',
  request: { country: ['Italy', 'France'], airport: ['FCO'] },
}

async function folderOf(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'state')
}

async function saved(folder: string, key: PositionKey): Promise<string | undefined> {
  const position = await openPosition(folder, key)
  position.close()
  return position.cursor
}

async function stateFile(folder: string): Promise<string> {
  const [name = ''] = (await readdir(folder)).filter((entry) => entry.endsWith('.json'))
  return join(folder, name)
}

describe('openPosition()', () => {
  it('keeps a cursor between runs and forgets it on demand', async (context) => {
    const folder = await folderOf(context)
    const position = await openPosition(folder, KEY)
    assert.equal(position.cursor, undefined)
    await position.save('e.1')
    await position.save('e.2.0')
    assert.equal(position.cursor, 'e.2.0')
    position.close()
    assert.equal(await saved(folder, KEY), 'e.2.0')
    const anew = await openPosition(folder, KEY, { anew: true })
    anew.close()
    assert.equal(anew.cursor, undefined)
    assert.equal(await saved(folder, KEY), undefined)
  })

  // Node's own way to make folders never ends in /proc.
  it('refuses a folder that cannot be made, and says what to do', { timeout: 10_000 }, async () => {
    await assert.rejects(openPosition('/proc/x/y', KEY), (error) => {
      assert.ok(error instanceof ClientError)
      assert.match(
        error.message,
        /Cannot make the folder \/proc\/x\/y for positions: .*; name another folder with --state/,
      )
      return true
    })
  })

  it('leaves nothing but the state and its lock, readable by the user alone', async (context) => {
    const folder = await folderOf(context)
    const position = await openPosition(folder, KEY)
    await position.save('e.1')
    position.close()
    assert.deepEqual((await readdir(folder)).map((name) => name.replace(/^[0-9a-f]{32}/, '')).toSorted(), [
      '.json',
      '.json.lock',
    ])
    assert.equal((await stat(await stateFile(folder))).mode & 0o777, 0o600)
  })

  it('is one per server, event, request and name, in whatever order the request is written', async (context) => {
    const folder = await folderOf(context)
    const position = await openPosition(folder, KEY)
    await position.save('e.1')
    position.close()
    assert.equal(
      await saved(folder, { ...KEY, request: { airport: ['FCO'], country: ['France', 'Italy', 'Italy'] } }),
      'e.1',
    )
    for (const other of [
      { server: 'http://b' },
      { event: 'mars' },
      { request: { airport: ['FCO'] } },
      { name: 'x' },
    ]) {
      assert.equal(await saved(folder, { ...KEY, ...other }), undefined)
    }
  })

  it('survives a write that was cut off: the old cursor stays', async (context) => {
    const folder = await folderOf(context)
    const position = await openPosition(folder, KEY)
    await position.save('e.1')
    position.close()
    await writeFile(`${await stateFile(folder)}.tmp`, '{"version":1,"cur')
    assert.equal(await saved(folder, KEY), 'e.1')
  })

  it('refuses a file that is damaged, rather than starting somewhere', async (context) => {
    const folder = await folderOf(context)
    const position = await openPosition(folder, KEY)
    await position.save('e.1')
    position.close()
    for (const content of ['', '{', '{"version":2,"cursor":"e.1"}', '{"version":1,"cursor":"a\\nb"}']) {
      await writeFile(await stateFile(folder), content)
      await assert.rejects(
        openPosition(folder, KEY),
        (error) => error instanceof ClientError && /cannot be read.*--now/.test(error.message),
      )
    }
    const anew = await openPosition(folder, KEY, { anew: true })
    anew.close()
    assert.equal(anew.cursor, undefined)
  })

  it('is held by one at a time, in a process and between processes, and freed when its process is killed', async (context) => {
    const folder = await folderOf(context)
    const position = await openPosition(folder, KEY)
    await assert.rejects(openPosition(folder, KEY), /already running with the same request/)
    position.close()
    const module = new URL('../../../../scripts/aviso/position.ts', import.meta.url)
    const script = `import { openPosition } from ${JSON.stringify(module.href)}; await openPosition(${JSON.stringify(folder)}, ${JSON.stringify(KEY)}); console.log('held'); setInterval(() => {}, 1000)`
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(child.stdout, 'data')
    await assert.rejects(openPosition(folder, KEY), /already running/)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(await saved(folder, KEY), undefined)
  })
})
