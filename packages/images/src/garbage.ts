import type { Database, Statement } from '@wombat/database'

const ADD: Statement = {
  name: 'add-garbage',
  text: `INSERT INTO garbage_objects (object_key, delete_after) VALUES ($1, now() + make_interval(secs => $2))
         ON CONFLICT (object_key) DO NOTHING`,
}

/** Has an object removed later: nothing points at it. */
export async function addGarbage(db: Database, objectKey: string, delaySeconds: number): Promise<void> {
  await db.run(ADD, [objectKey, delaySeconds])
}

const DUE: Statement = {
  name: 'due-garbage',
  text: `SELECT g.object_key FROM garbage_objects g
         WHERE g.delete_after <= now() AND NOT EXISTS (SELECT FROM images i WHERE i.object_key = g.object_key)
         ORDER BY g.delete_after LIMIT $1`,
}

/** Keys of objects to remove now. One that an image points at is never among them. */
export async function dueGarbage(db: Database, limit: number): Promise<string[]> {
  const rows = await db.run<{ object_key: string }>(DUE, [limit])
  return rows.map((row) => row.object_key)
}

const FORGET: Statement = { name: 'forget-garbage', text: 'DELETE FROM garbage_objects WHERE object_key = $1' }

/** After the object was removed from the store. */
export async function forgetGarbage(db: Database, objectKey: string): Promise<void> {
  await db.run(FORGET, [objectKey])
}
