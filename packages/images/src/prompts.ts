import type { Database, Statement } from '@wombat/database'

export interface PromptRow {
  readonly finalPrompt: string | undefined
  readonly alt: string
}

const FIND: Statement = { name: 'find-prompt', text: 'SELECT final_prompt, alt FROM requests WHERE id = $1' }

export async function findPrompt(db: Database, requestId: string): Promise<PromptRow | undefined> {
  const [row] = await db.run<{ final_prompt: string | null; alt: string }>(FIND, [requestId])
  return row === undefined ? undefined : { finalPrompt: row.final_prompt ?? undefined, alt: row.alt }
}

const CLAIM: Statement = {
  name: 'claim-prompt',
  text: `UPDATE requests SET enhancing_until = now() + make_interval(secs => $2)
         WHERE id = $1 AND final_prompt IS NULL AND (enhancing_until IS NULL OR enhancing_until < now()) RETURNING id`,
}

/** True: the caller is the one who asks the enhancer for this request, for that many seconds. */
export async function claimPrompt(db: Database, requestId: string, seconds: number): Promise<boolean> {
  return (await db.run(CLAIM, [requestId, seconds])).length === 1
}

const STORE: Statement = {
  name: 'store-prompt',
  text: `WITH stored AS (
           UPDATE requests SET final_prompt = $2, enhancing_until = NULL WHERE id = $1 AND final_prompt IS NULL RETURNING id)
         SELECT pg_notify('wombat_prompt', id::text) FROM stored`,
}

/** The first one stays: all images of a request are made from one prompt. */
export async function storePrompt(db: Database, requestId: string, finalPrompt: string): Promise<void> {
  await db.run(STORE, [requestId, finalPrompt])
}
