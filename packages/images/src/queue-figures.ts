import type { Database, Statement } from '@wombat/database'

/** How a model's queue stands. */
export interface QueueFigures {
  readonly model: string
  /** No more than MOST_COUNTED. */
  readonly queued: number
  /** Those that may be claimed now, no more than MOST_COUNTED. */
  readonly due: number
  /** How long the one that has been due for the longest has been so; 0 when none is due. */
  readonly oldestDueSeconds: number
  readonly generating: number
}

/** Who looks every few seconds must not pay for a long queue; and beyond this nobody cares for the last digit. */
const MOST_COUNTED = 100_000

// The order makes it one walk along images_due_idx, whatever the statistics say.
const FIGURES: Statement = {
  name: 'queue-figures',
  text: `SELECT m.model,
                (SELECT count(*) FROM (SELECT FROM images i WHERE i.status = 'queued' AND i.model = m.model
                  ORDER BY i.due_at LIMIT $2) AS c)::int AS queued,
                (SELECT count(*) FROM (SELECT FROM images i WHERE i.status = 'queued' AND i.model = m.model
                  AND i.due_at <= now() ORDER BY i.due_at LIMIT $2) AS c)::int AS due,
                coalesce(greatest(0, extract(epoch FROM now() - (
                  SELECT min(i.due_at) FROM images i WHERE i.status = 'queued' AND i.model = m.model))), 0)::float8
                  AS "oldestDueSeconds",
                (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.model = m.model)::int AS generating
         FROM unnest($1::text[]) WITH ORDINALITY AS m(model, place) ORDER BY m.place`,
}

/** One line for each of the models, in their order. */
export async function readQueueFigures(db: Database, models: readonly string[]): Promise<QueueFigures[]> {
  return await db.run<QueueFigures>(FIGURES, [models, MOST_COUNTED])
}
