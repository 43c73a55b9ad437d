/**
 * A machine inside this one that runs containers: podman of Debian's packages, in namespaces of its own. What it starts, mounts and stores is
 * gone at its end, and its ports and networks are not those of this machine. Only the empty folder `/var/lib/containers` stays.
 *
 * It needs root, because only root can make these namespaces without podman being installed here.
 *
 * @module
 */

import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { unpackPackages } from '../../scripts/debian_packages.ts'
import { outputOf, runCommand, type CommandResult } from '../../scripts/run_command.ts'
import { missing } from '../support/missing.ts'
import { within } from '../support/waiting.ts'

/** The programs of Debian's packages, for all users of this file. */
export const PACKAGES = fileURLToPath(new URL('../../.cache/containers-1', import.meta.url))

const NEEDED = [
  'podman',
  'conmon',
  'crun',
  'catatonit',
  'netavark',
  'aardvark-dns',
  'iptables',
  'mmdebstrap',
  'golang-github-containers-common',
  'golang-github-containers-image',
  'libyajl2',
  'libgpgme11',
  'libassuan0',
  'libsubid4',
  'libdevmapper1.02.1',
  'libip4tc2',
  'libip6tc2',
  'libxtables12',
  'libnftnl11',
  'libnftables1',
  'libmnl0',
  'libnfnetlink0',
  'libnetfilter-conntrack3',
  'caddy',
  'prometheus',
]
/** Debian makes these names when a package is installed, and not when it is unpacked. */
const IPTABLES = ['iptables', 'iptables-save', 'iptables-restore'].flatMap((name) => [
  name,
  name.replace('ip', 'ip6'),
])

/**
 * The first process of the namespaces. It lays the packages and the configuration over the folders of this machine, and then waits.
 * $1: packages, $2: folder of this machine.
 */
const SET_UP = `
set -eu
mount -t tmpfs none /run
mount -t tmpfs none /dev/shm
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /var/lib/containers
mount --bind "$2/state" /var/lib/containers
mount -t overlay none -o "lowerdir=$2/etc:$1/etc:/etc" /etc
mount -t overlay none -o "lowerdir=$2/usr:$1/usr:/usr" /usr
mount -t overlay none -o "lowerdir=$1/lib:/usr/lib" /usr/lib
ip link set lo up
echo ready
exec catatonit -P
`

const STORAGE = `[storage]
driver = "overlay"
graphroot = "/var/lib/containers/store"
runroot = "/run/containers"
`
/** Limits and control groups are left alone: a machine for tests may forbid to change them. */
const containersConf = (openFiles: string): string => `[containers]
cgroups = "disabled"
pids_limit = 0
default_ulimits = ["nofile=${openFiles}:${openFiles}", "nproc=8192:8192"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[network]
network_config_dir = "/var/lib/containers/networks"
`

/** How to run a program on the machine. */
export interface RunOptions {
  readonly folder?: string
  readonly environment?: Readonly<Record<string, string>>
  /** With the network of the machine outside, for builds that download. */
  readonly outside?: boolean
}

/** A machine that runs containers. */
export interface ContainerHost {
  /** Its folder on the machine outside, for files that containers are to see. */
  readonly folder: string
  /** Runs a program to its end. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>
  /** Runs a program to its end. @returns its output. @throws {Error} When its exit code is not 0. */
  output(argv: readonly string[], options?: RunOptions): Promise<string>
  /** Starts a program. */
  start(argv: readonly string[]): ChildProcessWithoutNullStreams
  /** Ends all that runs on it. */
  close(): Promise<void>
}

/** Why there are no containers here, or `false`. @throws {Error} Instead of the reason where `CI` is set. */
export function containersMissing(): Promise<string | false> {
  return missing(async () => {
    if (process.getuid?.() !== 0) throw new Error('containers are tested as root alone')
    for (const tool of ['unshare', 'nsenter', 'ip', 'curl', 'perl', 'dpkg-deb', 'apt-get'])
      await outputOf('sh', ['-c', `command -v ${tool}`]).catch(() => {
        throw new Error(`containers are tested on Debian with ${tool}, which is not on the PATH`)
      })
    await outputOf('unshare', [
      '-m',
      '-n',
      '-p',
      '-f',
      '--mount-proc',
      'mount',
      '-t',
      'tmpfs',
      'none',
      '/run',
    ])
    if (!existsSync(PACKAGES)) await unpackPackages({ needed: NEEDED }, PACKAGES)
  })
}

/** Starts a machine. @param folder An empty folder of its own. */
export async function startContainerHost(folder: string): Promise<ContainerHost> {
  await writeSettings(folder)
  const first = spawn(
    'unshare',
    ['-m', '-n', '-p', '-f', '--mount-proc', '--kill-child', 'sh', '-c', SET_UP, 'sh', PACKAGES, folder],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const ended = new Promise<void>((done) => first.once('close', () => done()))
  await within('a machine for containers', saysReady(first))
  const prefix = (outside: boolean, at?: string): readonly string[] => [
    'nsenter',
    `--mount=/proc/${first.pid}/ns/mnt`,
    `--pid=/proc/${first.pid}/ns/pid_for_children`,
    ...(outside ? [] : [`--net=/proc/${first.pid}/ns/net`]),
    `--wdns=${at ?? folder}`,
    'env',
    'BUILDAH_ISOLATION=chroot',
    // podman-compose does not ask for it, and an image of the other format has no health check.
    'BUILDAH_FORMAT=docker',
  ]
  const run = (
    argv: readonly string[],
    { folder: at, environment = {}, outside = false }: RunOptions = {},
  ): Promise<CommandResult> => {
    const [program = '', ...rest] = [...prefix(outside, at), ...argv]
    return runCommand(program, rest, { environment })
  }
  return {
    folder,
    run,
    async output(argv, options) {
      const { code, output } = await run(argv, options)
      if (code === 0) return output
      throw new Error(`${argv.join(' ')} ended with ${code}:\n${output}`)
    },
    start(argv) {
      const [program = '', ...rest] = [...prefix(false), ...argv]
      return spawn(program, rest, { stdio: 'pipe' })
    },
    async close() {
      first.kill('SIGKILL')
      await ended
    },
  }
}

async function writeSettings(folder: string): Promise<void> {
  const settings = join(folder, 'etc', 'containers')
  const programs = join(folder, 'usr', 'sbin')
  for (const each of [settings, programs, join(folder, 'state')]) await mkdir(each, { recursive: true })
  const openFiles = (await outputOf('sh', ['-c', 'ulimit -Hn'])).trim()
  await writeFile(join(settings, 'storage.conf'), STORAGE)
  await writeFile(join(settings, 'containers.conf'), containersConf(openFiles))
  await writeFile(join(settings, 'registries.conf'), 'unqualified-search-registries = ["docker.io"]\n')
  for (const name of IPTABLES) await symlink('xtables-nft-multi', join(programs, name))
}

function saysReady(child: ChildProcess): Promise<void> {
  return new Promise((done, failed) => {
    let output = ''
    const take = (chunk: Buffer): void => {
      output += chunk.toString()
      if (output.includes('ready\n')) done()
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('error', failed)
    child.once('close', () => failed(new Error(`The machine for containers did not start:\n${output}`)))
  })
}
