/*
 * Every setting: its name in the environment, what it takes, its default. `.env.example` lists the same names (a test
 * compares), and scripts outside this repository use them: don't rename.
 */

import { type AdminToken, adminTokens } from './admin-tokens.ts'
import {
  addresses,
  aliases,
  attributes,
  bucket,
  choice,
  daysOrNever,
  decimal,
  flag,
  hosts,
  httpUrl,
  integer,
  key,
  keyPrefix,
  keys,
  latency,
  optional,
  type Parser,
  type PerPlan,
  perPlan,
  postgresUrl,
  redisUrl,
  simulation,
  text,
  word,
} from './config-parsers.ts'

export interface Variable<T> {
  readonly parse: Parser<T>
  readonly default: T
  /** May also be given as a file, by the name with `_FILE` behind it; its value is never shown. */
  readonly isSecret?: true
}

const none = undefined
const sampler = choice(
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
)
const NO_KEYS: readonly string[] = []
const NO_TOKENS: readonly AdminToken[] = []
const FOR_EVER: PerPlan<number | undefined> = { basic: none, professional: none }

/** The declaration of all settings, in the order of `.env.example`. */
export const VARIABLES = {
  PORT: { parse: integer(0, 65535), default: 3000 },
  HOST: { parse: text, default: '127.0.0.1' },
  PUBLIC_URL: { parse: optional(httpUrl), default: none },
  TRUST_PROXY: { parse: addresses, default: [] },
  DATA_DIR: { parse: text, default: './data' },
  DATABASE_URL: { parse: optional(postgresUrl), default: none, isSecret: true },
  DATABASE_POOL_SIZE: { parse: integer(2, 200), default: 10 },
  REDIS_URL: { parse: optional(redisUrl), default: none, isSecret: true },
  S3_BUCKET: { parse: optional(bucket), default: none },
  S3_ENDPOINT: { parse: optional(httpUrl), default: none },
  S3_REGION: { parse: text, default: 'us-east-1' },
  S3_ACCESS_KEY_ID: { parse: optional(word), default: none, isSecret: true },
  S3_SECRET_ACCESS_KEY: { parse: optional(word), default: none, isSecret: true },
  S3_FORCE_PATH_STYLE: { parse: optional(flag), default: none },
  S3_PREFIX: { parse: optional(keyPrefix), default: none },
  BOOTSTRAP_API_KEY: { parse: optional(key), default: none, isSecret: true },
  BOOTSTRAP_CREDITS: { parse: integer(0, 1_000_000_000), default: 1000 },
  ADMIN_TOKEN: { parse: adminTokens, default: NO_TOKENS, isSecret: true },
  LOG_LEVEL: { parse: choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), default: 'info' },
  LOG_FORMAT: { parse: choice('auto', 'pretty', 'json'), default: 'auto' },
  METRICS: { parse: flag, default: true },
  METRICS_TOKEN: { parse: optional(key), default: none, isSecret: true },
  METRICS_PORT: { parse: optional(integer(0, 65535)), default: none },
  OTEL_EXPORTER_OTLP_ENDPOINT: { parse: optional(httpUrl), default: none },
  OTEL_EXPORTER_OTLP_HEADERS: { parse: attributes, default: new Map<string, string>(), isSecret: true },
  OTEL_SERVICE_NAME: { parse: text, default: 'wombat' },
  OTEL_RESOURCE_ATTRIBUTES: { parse: attributes, default: new Map<string, string>() },
  OTEL_TRACES_SAMPLER: { parse: sampler, default: 'parentbased_always_on' },
  OTEL_TRACES_SAMPLER_ARG: { parse: decimal(0, 1), default: 1 },
  RATE_LIMIT_PER_MINUTE: { parse: integer(1, 1_000_000), default: 60 },
  AUTH_FAILURES_PER_MINUTE: { parse: integer(1, 1_000_000), default: 60 },
  NOT_FOUND_PER_MINUTE: { parse: integer(1, 1_000_000), default: 300 },
  MODEL_ALIASES: { parse: aliases, default: new Map<string, string>() },
  SYNTHETIC: { parse: choice('auto', 'always', 'off'), default: 'auto' },
  SYNTHETIC_LATENCY_MS: { parse: latency, default: { minMs: 300, maxMs: 900 } },
  SYNTHETIC_SIMULATE: { parse: optional(simulation), default: none },
  OPENAI_API_KEY: { parse: keys, default: NO_KEYS, isSecret: true },
  OPENAI_BASE_URL: { parse: httpUrl, default: 'https://api.openai.com/v1' },
  OPENAI_IMAGE_MODEL: { parse: text, default: 'gpt-image-2' },
  OPENAI_PROMPT_MODEL: { parse: text, default: 'gpt-6-luna' },
  OPENAI_CONCURRENCY: { parse: integer(1, 1000), default: 8 },
  OPENAI_PER_MINUTE: { parse: optional(decimal(0.01, 100_000)), default: none },
  IDEOGRAM_API_KEY: { parse: keys, default: NO_KEYS, isSecret: true },
  IDEOGRAM_BASE_URL: { parse: httpUrl, default: 'https://api.ideogram.ai' },
  IDEOGRAM_CONCURRENCY: { parse: integer(1, 1000), default: 8 },
  GEMINI_API_KEY: { parse: keys, default: NO_KEYS, isSecret: true },
  GEMINI_BASE_URL: { parse: httpUrl, default: 'https://generativelanguage.googleapis.com' },
  GEMINI_IMAGE_MODEL: { parse: text, default: 'gemini-3.1-flash-image' },
  GEMINI_CONCURRENCY: { parse: integer(1, 1000), default: 8 },
  GEMINI_PER_MINUTE: { parse: optional(decimal(0.01, 100_000)), default: none },
  LEONARDO_API_KEY: { parse: keys, default: NO_KEYS, isSecret: true },
  LEONARDO_BASE_URL: { parse: httpUrl, default: 'https://cloud.leonardo.ai/api/rest' },
  LEONARDO_IMAGE_MODEL: { parse: text, default: 'phoenix-v1.0' },
  LEONARDO_CONCURRENCY: { parse: integer(1, 1000), default: 5 },
  LEONARDO_POLL_SECONDS: { parse: decimal(0.01, 60), default: 2.5 },
  KOALA_API_KEY: { parse: keys, default: NO_KEYS, isSecret: true },
  KOALA_BASE_URL: { parse: httpUrl, default: 'https://koala.sh' },
  KOALA_CONCURRENCY: { parse: integer(1, 1000), default: 8 },
  ROUTES_FILE: { parse: text, default: './wombat.yaml' },
  PROVIDER_TIMEOUT_SECONDS: { parse: optional(decimal(0.1, 290)), default: none },
  PROVIDER_ALLOW_PRIVATE: { parse: flag, default: false },
  ALT_TEXT_TIMEOUT_MS: { parse: integer(1, 60_000), default: 8000 },
  REFERENCE_ALLOW_HOSTS: { parse: hosts, default: [] },
  IMAGE_WAIT_MODE: { parse: choice('keepalive', 'redirect', 'block'), default: 'keepalive' },
  IMAGE_SOFT_WAIT_SECONDS: { parse: decimal(0, 3600), default: 25 },
  IMAGE_KEEPALIVE_SECONDS: { parse: decimal(0.05, 3600), default: 10 },
  IMAGE_MAX_WAIT_SECONDS: { parse: decimal(0.1, 86_400), default: 280 },
  WAITERS_PER_ADDRESS: { parse: integer(1, 1_000_000), default: 5000 },
  MAX_WAITERS: { parse: integer(1, 1_000_000), default: 20_000 },
  IMAGE_CACHE_MB: { parse: integer(0, 100_000), default: 64 },
  GENERATION_DEADLINE_HOURS: { parse: perPlan(decimal(0.0001, 8760), 24), default: { basic: 24, professional: 24 } },
  RETRY_MAX_DELAY_SECONDS: { parse: decimal(0.01, 86_400), default: 300 },
  RETRY_UNKNOWN: { parse: flag, default: true },
  UNKNOWN_ATTEMPTS_LIMIT: { parse: integer(1, 100), default: 3 },
  BREAKER_FAILURES: { parse: integer(1, 1_000_000), default: 5 },
  BREAKER_OPEN_SECONDS: { parse: decimal(0.01, 86_400), default: 5 },
  LEASE_SECONDS: { parse: decimal(0.5, 3600), default: 30 },
  RETAIN_ORIGINALS_DAYS: { parse: decimal(0, 36_500), default: 30 },
  DELETE_IMAGES_DAYS: { parse: perPlan(daysOrNever(0.000001), none), default: FOR_EVER },
  DELETE_RECORDS_DAYS: { parse: daysOrNever(7), default: none },
  DELETE_DELIVERIES_DAYS: { parse: daysOrNever(3), default: 30 },
  MODERATION_REFUSALS_PER_HOUR: { parse: optional(integer(1, 1_000_000)), default: none },
  WEBHOOK_ALLOW_HOSTS: { parse: hosts, default: [] },
  SHUTDOWN_DELAY_SECONDS: { parse: decimal(0, 3600), default: 0 },
  SHUTDOWN_GRACE_SECONDS: { parse: decimal(0, 3600), default: 3 },
  DEV_MODE: { parse: flag, default: false },
  SIMULATE_HEADER: { parse: optional(flag), default: none },
} as const satisfies Record<string, Variable<unknown>>

/** The settings, parsed. */
export type Values = { readonly [Name in keyof typeof VARIABLES]: ReturnType<(typeof VARIABLES)[Name]['parse']> }
