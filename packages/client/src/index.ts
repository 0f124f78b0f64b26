export {
  type Client,
  type ClientOptions,
  createClient,
  type DownloadedImage,
  type GenerateAnswer,
  type RequestOptions,
} from './client.ts'
export { WombatError } from './wombat-error.ts'
