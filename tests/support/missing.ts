/**
 * Tools that a machine may not have.
 *
 * @module
 */

import process from 'node:process'

/**
 * Why tests that need a tool cannot run here, or `false` when they can.
 *
 * @param find Throws where there is no such tool.
 * @throws {Error} Instead of the reason where `CI` is set: there a missing tool is a failure.
 */
export async function missing(find: () => Promise<unknown>): Promise<string | false> {
  try {
    await find()
    return false
  } catch (error) {
    if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw error
    return error instanceof Error ? error.message : String(error)
  }
}
