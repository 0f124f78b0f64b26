import type { Database, Statement } from '@wombat/database'

export interface ClaimedImage {
  readonly imageId: string
  readonly requestId: string
  readonly accountId: string
  readonly keyId: string
  /** The fencing token: only with it can the image be stored, failed or handed back. */
  readonly fence: number
  readonly position: number
  readonly model: string
  readonly quality: string
  readonly style: string
  readonly isStyleGiven: boolean
  readonly width: number
  readonly height: number
  readonly prompt: string
  readonly isEnhanced: boolean
  readonly isAltWanted: boolean
  readonly finalPrompt: string | undefined
  readonly isOriginalPreserved: boolean
  readonly referenceImages: readonly string[]
  readonly simulate: string | undefined
  /** The name of the route that it is to be made by. */
  readonly route: string
  /** The route was closed to all, and this image finds out whether it works again. */
  readonly isProbe: boolean
  /** The attempt that was left open because the upstream goes on with a job for it. */
  readonly job: { readonly attemptId: string; readonly id: string } | undefined
  /** Milliseconds since the image was accepted, and until its deadline (negative when that has passed). */
  readonly ageMs: number
  readonly remainingMs: number
}

/** A route as the database needs to know it, to say whether a call may begin on it. */
export interface RouteCandidate {
  readonly id: string
  /** Calls at once, in all processes. */
  readonly most: number
  readonly per_minute: number | null
}

interface ClaimRow {
  readonly id: string
  readonly request_id: string
  readonly account_id: string
  readonly key_id: string
  readonly fence: number
  readonly position: number
  readonly model: string
  readonly quality: string
  readonly style: string
  readonly is_style_given: boolean
  readonly width: number
  readonly height: number
  readonly prompt: string
  readonly is_enhanced: boolean
  readonly is_alt_wanted: boolean
  readonly final_prompt: string | null
  readonly is_original_preserved: boolean
  readonly reference_images: string[]
  readonly simulate: string | null
  readonly age_ms: number
  readonly remaining_ms: number
}

const CLAIM: Statement = {
  name: 'claim-image',
  text: `SELECT image_id AS "imageId", route, is_probe AS "isProbe", job_attempt::text AS "attemptId", job_id AS "jobId"
         FROM claim_image($1, $2, $3, $4, $5)`,
}

/** Another statement, for the one that claims sees the row as it was before. */
const READ: Statement = {
  name: 'read-claimed-image',
  text: `SELECT i.id, i.request_id, i.account_id, r.key_id, i.fence, i.position, i.model, i.is_original_preserved, r.quality,
                r.style, r.is_style_given, r.width, r.height, r.prompt, r.is_enhanced, r.is_alt_wanted, r.final_prompt,
                r.reference_images, r.simulate, (extract(epoch FROM now() - i.created_at) * 1000)::float8 AS age_ms,
                (extract(epoch FROM i.deadline_at - now()) * 1000)::float8 AS remaining_ms
         FROM images i JOIN requests r ON r.id = i.request_id
         WHERE i.id = $1 AND i.status = 'generating' AND i.lease_owner = $2`,
}

/**
 * Takes the image of a model that is due next, or the one that is named, if one of the routes is free. `routes` are in
 * the order of preference. Undefined: there is nothing to do now. Fair between accounts; of an account the oldest first.
 */
export async function claimImage(
  db: Database,
  claim: {
    model: string
    imageId?: string | undefined
    owner: string
    leaseSeconds: number
    routes: readonly RouteCandidate[]
  },
): Promise<ClaimedImage | undefined> {
  const { model, imageId = null, owner, leaseSeconds } = claim
  const [claimed] = await db.run<{
    imageId: string
    route: string
    isProbe: boolean
    attemptId: string | null
    jobId: string | null
  }>(CLAIM, [model, imageId, owner, leaseSeconds, JSON.stringify(claim.routes)])
  if (claimed === undefined) {
    return undefined
  }
  const [row] = await db.run<ClaimRow>(READ, [claimed.imageId, owner])
  const { route, isProbe, attemptId, jobId } = claimed
  return row && toClaimed(row, { route, isProbe, job: attemptId && jobId ? { attemptId, id: jobId } : undefined })
}

function toClaimed(row: ClaimRow, taken: Pick<ClaimedImage, 'route' | 'isProbe' | 'job'>): ClaimedImage {
  return {
    imageId: row.id,
    requestId: row.request_id,
    accountId: row.account_id,
    keyId: row.key_id,
    fence: row.fence,
    position: row.position,
    model: row.model,
    quality: row.quality,
    style: row.style,
    isStyleGiven: row.is_style_given,
    width: row.width,
    height: row.height,
    prompt: row.prompt,
    isEnhanced: row.is_enhanced,
    isAltWanted: row.is_alt_wanted,
    finalPrompt: row.final_prompt ?? undefined,
    isOriginalPreserved: row.is_original_preserved,
    referenceImages: row.reference_images,
    simulate: row.simulate ?? undefined,
    ageMs: row.age_ms,
    remainingMs: row.remaining_ms,
    ...taken,
  }
}
