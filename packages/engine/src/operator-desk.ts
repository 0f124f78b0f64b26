import type { Database } from '@wombat/database'
import type { AuditEntry } from './audit.ts'
import type { Config } from './config.ts'

export type OperatorConfig = Pick<Config, 'routes' | 'SYNTHETIC' | 'WEBHOOK_ALLOW_HOSTS'>

/** What an operator's work is done with. */
export interface OperatorDesk {
  readonly db: Database
  readonly config: OperatorConfig
  /** Where images are fetched, as messages name it. */
  readonly publicUrl: string
  readonly actor: string
  /** Makes a change and its audit entry in one transaction. No entry: nothing was changed. */
  change<T>(work: (tx: Database) => Promise<T>, toEntry: (outcome: T) => AuditEntry | undefined): Promise<T>
}
