import { startGeminiEmulator, startIdeogramEmulator, startLeonardoEmulator, startOpenAiEmulator } from '@wombat/testing'

const SCALED = {
  PROVIDER_ALLOW_PRIVATE: 'true',
  RETRY_MAX_DELAY_SECONDS: '0.2',
  LEASE_SECONDS: '2',
  LEONARDO_POLL_SECONDS: '0.1',
}

/** All four upstreams, each with a key. */
export async function startUpstreams() {
  const openai = await startOpenAiEmulator()
  const ideogram = await startIdeogramEmulator()
  const gemini = await startGeminiEmulator()
  const leonardo = await startLeonardoEmulator({ jobMs: 20 })
  return {
    openai,
    ideogram,
    gemini,
    leonardo,
    env: {
      ...SCALED,
      OPENAI_API_KEY: 'sk-check',
      OPENAI_BASE_URL: openai.url,
      IDEOGRAM_API_KEY: 'ideogram-check',
      IDEOGRAM_BASE_URL: ideogram.origin,
      GEMINI_API_KEY: 'gemini-check',
      GEMINI_BASE_URL: gemini.origin,
      LEONARDO_API_KEY: '7a9d3d2c-4f0e-4b6c-9c51-0a4f5de1a001',
      LEONARDO_BASE_URL: leonardo.url,
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([openai, ideogram, gemini, leonardo].map((emulator) => emulator.close()))
    },
  }
}
