import type { ErrorCode } from './errors.ts'

/** The vendor's words, from its article API. */
export type ImageStatus = 'queued' | 'processing' | 'finished' | 'failed'

/** The body of `GET /api/image/:id.json`. Every key is always there; what is not known or does not apply is null. */
export interface ImageStatusBody {
  id: string
  status: ImageStatus
  /** From 0 to 1, as in the vendor's article API; 1 only when finished. */
  progress: number
  /** How many images are ahead, from 0; null when it is not queued. */
  queuePosition: number | null
  /** An estimate; 0 when finished, null when failed or not known. */
  etaSeconds: number | null
  /** Empty unless alternative text was asked for. */
  alt: string
  /** The effective size, known from the start. */
  width: number
  height: number
  /** Null until finished. */
  contentType: 'image/jpeg' | 'image/png' | null
  /** What the image model got; null until the enhancer has answered. */
  finalPrompt: string | null
  /** Null unless failed. */
  error: ImageFailure | null
}

export interface ImageFailure {
  code: ErrorCode
  message: string
  /** Whether the image's credits were given back. */
  refunded: boolean
}
