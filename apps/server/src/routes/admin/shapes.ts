import type { Account } from '@wombat/engine'

/** Every id has its noun before it. */
export function toAccount<T extends Account>({ id, ...rest }: T): Omit<T, 'id'> & { accountId: string } {
  return { accountId: id, ...rest }
}
