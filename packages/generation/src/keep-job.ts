import type { ProviderRequest } from './provider.ts'

/** Has the name of a job kept, and goes on when it can't be: the picture is as good, and only a resumption is lost. */
export async function keepJob(request: ProviderRequest, job: string): Promise<void> {
  try {
    await request.onJob(job)
  } catch {
    // Whoever keeps jobs reports it; the provider has nothing to add.
  }
}
