export { type AdminClient, type AdminClientOptions, createAdminClient } from './admin-client.ts'
export {
  type Client,
  type ClientOptions,
  createClient,
  type DownloadedImage,
  type GenerateAnswer,
  type RequestOptions,
} from './client.ts'
export { WombatError, type WombatErrorCode } from './wombat-error.ts'
