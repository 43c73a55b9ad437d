import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from '../../../support/server.ts'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))
const PROGRAM = `
import { etcdVersion, findEtcd } from './scripts/etcd/binary.ts'
const binary = await findEtcd()
console.log(binary, await etcdVersion(binary))`

test('findEtcd and etcdVersion use the etcd on the PATH in a folder that has no .cache', async (context) => {
  const clone = await temporaryFolder(context)
  await cp(join(ROOT, 'scripts'), join(clone, 'scripts'), { recursive: true })
  await writeFile(join(clone, 'package.json'), '{ "type": "module" }')
  const binary = join(clone, 'bin', 'etcd')
  await mkdir(join(clone, 'bin'))
  await writeFile(binary, '#!/bin/sh\necho "etcd Version: 3.4.99"\n')
  await chmod(binary, 0o755)
  await writeFile(join(clone, 'program.ts'), PROGRAM)
  const { stdout } = await promisify(execFile)(process.execPath, [join(clone, 'program.ts')], {
    env: { PATH: [join(clone, 'bin'), process.env['PATH']].join(delimiter) },
  })
  assert.equal(stdout, `${binary} 3.4.99\n`)
})
