export { readAnswer } from './answer.ts'
export {
  type Client,
  type ClientOptions,
  createClient,
  type DownloadedImage,
  type GenerateAnswer,
  type RequestOptions,
} from './client.ts'
export { WombatError, type WombatErrorCode } from './wombat-error.ts'
