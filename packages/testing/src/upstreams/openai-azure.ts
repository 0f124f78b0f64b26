import type { EmulatedRequest } from './emulator.ts'
import { type OpenAiError, openAiError } from './openai-error.ts'

export interface EmulatedAzure {
  readonly apiVersion: string
  readonly deployment: string
}

/** What Azure answers to a request before it looks at its body; undefined when it would look at it. */
export function checkAzure(
  entry: EmulatedRequest,
  azure: EmulatedAzure,
  keys: readonly string[] | undefined,
): OpenAiError | undefined {
  const key = entry.headers['api-key']
  // A token of Entra could stand in Authorization; a key can't, nor can both be there.
  if (typeof key !== 'string' || entry.headers.authorization !== undefined || (keys && !keys.includes(key))) {
    return AZURE_ERRORS.azure_wrong_key
  }
  const isKnown = entry.path === '/openai/models' || entry.path.startsWith('/openai/deployments/')
  if (!isKnown || entry.query.size !== 1 || entry.query.get('api-version') !== azure.apiVersion) {
    return azureError(404, '404', 'Resource not found')
  }
  const deployment = /^\/openai\/deployments\/([^/]+)\//.exec(entry.path)?.[1]
  return deployment === undefined || decodeURIComponent(deployment) === azure.deployment
    ? undefined
    : AZURE_ERRORS.azure_no_deployment
}

/** The same request as OpenAI's paths have it. */
export function toOpenAiPath(path: string): string {
  return path.replace(/^\/openai(\/deployments\/[^/]+)?/, '/v1')
}

function azureError(status: number, code: string, message: string, headers: Record<string, string> = {}): OpenAiError {
  return { status, headers, error: { code, message } }
}

const PASSED = { filtered: false, severity: 'safe' }

/** Errors in the forms of Azure, that can be switched on by name. */
export const AZURE_ERRORS = {
  azure_wrong_key: azureError(
    401,
    '401',
    'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription.',
  ),
  azure_blocked: azureError(403, 'Forbidden', 'Your resource has been temporarily blocked.'),
  azure_no_deployment: azureError(
    404,
    'DeploymentNotFound',
    'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.',
  ),
  azure_throttled: azureError(
    429,
    '429',
    'Requests to the ImageGenerations_Create Operation have exceeded call rate limit of your current pricing tier. Please retry after 26 seconds.',
  ),
  azure_prompt_filter: {
    status: 400,
    error: {
      code: 'content_policy_violation',
      message: 'Your request was rejected as a result of our safety system.',
      type: 'invalid_request_error',
      param: null,
      inner_error: {
        code: 'ResponsibleAIPolicyViolation',
        content_filter_results: {
          hate: PASSED,
          jailbreak: { detected: false, filtered: false },
          self_harm: { filtered: true, severity: 'medium' },
          sexual: PASSED,
        },
      },
    },
  },
  azure_picture_filter: azureError(
    400,
    'contentFilter',
    'Generated image was filtered as a result of our safety system.',
  ),
  azure_inner_filter: {
    ...openAiError(400, 'The prompt was filtered.'),
    error: {
      code: 'invalid_request',
      message: 'The prompt was filtered.',
      innererror: {
        code: 'ResponsibleAIPolicyViolation',
        content_filter_result: { violence: { filtered: true, severity: 'high' } },
      },
    },
  },
} as const satisfies Readonly<Record<string, OpenAiError>>
