/**
 * The command `npm run etcd`: runs a real etcd on loopback for development. It needs no root and no installed etcd.
 *
 * @module
 */

import process from 'node:process'
import { Command, InvalidArgumentError, Option } from 'commander'
import { findEtcdctl } from './etcd/binary.ts'
import { startEtcd, type EtcdCluster } from './etcd/cluster.ts'
import { isMain } from './is_main.ts'
import { parseCommand } from './parse_command.ts'
import { SERVE_CALL } from './released.ts'
import { printResult } from './standard_output.ts'
import { stopRequest } from './stop_requests.ts'

interface EtcdArguments {
  readonly members: '1' | '3'
  readonly port?: number
  readonly data?: string
}

/** Runs an etcd until a signal. @param call How it is called, for the usage text. @returns the exit code */
export async function etcd(argv: readonly string[], call?: string): Promise<number> {
  const options = parseArguments(argv, call)
  if (typeof options === 'number') return options
  const stopped = stopRequest(process)
  let cluster: EtcdCluster
  try {
    cluster = await startEtcd({
      members: Number(options.members),
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.data === undefined ? {} : { dataFolder: options.data }),
    })
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
  const etcdctl = await findEtcdctl()
  const code = printResult(...howToUse(cluster, etcdctl))
  if (code === 0) {
    await stopped
    console.log('Stopping')
  }
  await cluster.stop()
  await cluster.close()
  return code
}

function howToUse(cluster: EtcdCluster, etcdctl: string | undefined): readonly string[] {
  const { version, members, folder, store } = cluster
  return [
    `etcd ${version}, ${members.length} member(s), data in ${folder}`,
    ...members.map(({ url, pid }) => `  ${url}  (process ${pid})`),
    `Aviso on it:  ${SERVE_CALL} --store ${store}`,
    ...(etcdctl === undefined
      ? []
      : [`Look inside:  ETCDCTL_API=3 ${etcdctl} --endpoints ${store} get --prefix /`]),
    'Stop it with Ctrl-C',
  ]
}

/** The command line. @param call How it is called. */
export function createEtcdProgram(call = 'npm run etcd --'): Command {
  return new Command(call)
    .description('Runs a real etcd on 127.0.0.1 until it is stopped.')
    .addOption(new Option('--members <count>', 'size of the cluster').choices(['1', '3']).default('1'))
    .addOption(
      new Option(
        '--port <port>',
        'client port of the first member; the others take the next ports (default: free ports)',
      ).argParser(parsePort),
    )
    .option('--data <folder>', 'keep the data here (default: temporary, removed at the end)')
    .exitOverride()
}

function parseArguments(argv: readonly string[], call: string | undefined): EtcdArguments | number {
  const program = createEtcdProgram(call)
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  return program.opts<EtcdArguments>()
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_530) return port
  throw new InvalidArgumentError('Use a number from 1 to 65530.')
}

if (isMain(import.meta)) process.exit(await etcd(process.argv.slice(2)))
