import { ADAPTER_CONCURRENCY, ADAPTER_MODELS, type AdapterName, type Route } from '@wombat/generation'
import type { Values } from './config-variables.ts'

/** The hosted API comes after everything else: its account is the last resort of the models that have another route. */
const KOALA_PRIORITY = 100

/**
 * The routes that the environment makes: one for each upstream that has a key, or one for each of its keys, which share
 * the load.
 */
export function envRoutes(values: Values): Route[] {
  return [
    ...keyed('openai', 'OPENAI_API_KEY', values.OPENAI_API_KEY, {
      baseUrl: values.OPENAI_BASE_URL,
      upstreamModel: values.OPENAI_IMAGE_MODEL,
      concurrency: values.OPENAI_CONCURRENCY,
      perMinute: values.OPENAI_PER_MINUTE,
    }),
    ...keyed('ideogram', 'IDEOGRAM_API_KEY', values.IDEOGRAM_API_KEY, {
      baseUrl: values.IDEOGRAM_BASE_URL,
      concurrency: values.IDEOGRAM_CONCURRENCY,
    }),
    ...keyed('gemini', 'GEMINI_API_KEY', values.GEMINI_API_KEY, {
      baseUrl: values.GEMINI_BASE_URL,
      upstreamModel: values.GEMINI_IMAGE_MODEL,
      concurrency: values.GEMINI_CONCURRENCY,
      perMinute: values.GEMINI_PER_MINUTE,
    }),
    ...keyed('leonardo', 'LEONARDO_API_KEY', values.LEONARDO_API_KEY, {
      baseUrl: values.LEONARDO_BASE_URL,
      upstreamModel: values.LEONARDO_IMAGE_MODEL,
      concurrency: values.LEONARDO_CONCURRENCY,
    }),
    ...keyed('koala', 'KOALA_API_KEY', values.KOALA_API_KEY, {
      baseUrl: values.KOALA_BASE_URL,
      concurrency: values.KOALA_CONCURRENCY,
      priority: KOALA_PRIORITY,
    }),
  ]
}

function keyed(
  adapter: AdapterName,
  variable: string,
  keys: readonly string[],
  rest: Partial<Omit<Route, 'name' | 'adapter' | 'apiKey'>>,
): Route[] {
  return keys.map((apiKey, index) => ({
    name: keys.length === 1 ? adapter : `${adapter}-${index + 1}`,
    adapter,
    models: ADAPTER_MODELS[adapter],
    apiKey,
    priority: 1,
    weight: 1,
    concurrency: ADAPTER_CONCURRENCY[adapter],
    reason: `${variable} is set`,
    ...rest,
  }))
}
