/**
 * Rounds of lives on a whole installation: etcd's three members are wiped or put back to an older copy behind two ingests and two listening
 * services.
 *
 * @module
 */

import { rm } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../../../scripts/run_command.ts'
import { doorTo } from '../door.ts'
import { createOracle } from '../oracle.ts'
import type { Site } from '../site.ts'
import type { LifeStage, Struck } from './life_records.ts'

/** What happens to etcd. */
export type EtcdStrike = 'wipe' | 'restore of an older copy' | 'restore while stopped'

export const ETCD_STRIKES: readonly EtcdStrike[] = [
  'wipe',
  'restore of an older copy',
  'restore while stopped',
]

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const CLIENT = fileURLToPath(new URL('../../../scripts/aviso.ts', import.meta.url))

/** The stage of one round. */
export function etcdStage(site: Site, kind: EtcdStrike): LifeStage {
  const { cluster, ingests, listening } = site
  const services = [...ingests, ...listening].map(({ process }) => process)
  return {
    ingests: [doorTo(ingests[0].process.url), doorTo(ingests[1].process.url)],
    listening: [doorTo(listening[0].process.url), doorTo(listening[1].process.url)],
    save: () => saveFolders(site),
    strike: async (): Promise<Struck> => {
      const isStopped = kind === 'restore while stopped'
      if (isStopped) await Promise.all(services.map((service) => service.stop('SIGTERM')))
      await Promise.all(cluster.members.map((member) => member.kill('SIGKILL')))
      await Promise.all(cluster.members.map(({ dataFolder }) => rm(dataFolder, { recursive: true })))
      if (kind !== 'wipe')
        await Promise.all(cluster.members.map(({ dataFolder }) => copy(savedFolder(dataFolder), dataFolder)))
      // All at once: none answers before most of them run.
      await Promise.all(cluster.members.map((member) => member.restart()))
      if (isStopped) {
        await renewAsOperator(cluster.members.map(({ url }) => url))
        await Promise.all(services.map((service) => service.start()))
      }
      return { keeps: kind === 'wipe' ? 'nothing' : 'saved', complaints: [] }
    },
    truth: async () => {
      const oracle = createOracle(cluster.members.map(({ url }) => url))
      await oracle.readOn()
      return oracle.revisions
    },
  }
}

/** Copies the members' folders as a power cut would leave them: nothing is written while they are paused. */
async function saveFolders({ cluster }: Site): Promise<void> {
  const { members } = cluster
  await Promise.all(members.map((member) => member.kill('SIGSTOP')))
  try {
    for (const { dataFolder } of members) {
      await rm(savedFolder(dataFolder), { recursive: true, force: true })
      await copy(dataFolder, savedFolder(dataFolder))
    }
  } finally {
    await Promise.all(members.map((member) => member.kill('SIGCONT')))
  }
}

function savedFolder(dataFolder: string): string {
  return `${dataFolder}-saved`
}

/** etcd reserves room for its log, which need not be copied. */
async function copy(from: string, to: string): Promise<void> {
  await outputOf('cp', ['-a', '--sparse=always', from, to])
}

/** What an operator does after a restore while no service runs, for none can notice it. */
async function renewAsOperator(endpoints: readonly string[]): Promise<void> {
  const command = ['admin', 'renew-epoch', '--store', endpoints.join(',')]
  await outputOf(process.execPath, ['--disable-warning=ExperimentalWarning', CLIENT, ...command], {
    folder: ROOT,
  })
}
