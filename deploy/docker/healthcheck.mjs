// Exit code 0 when the server of this container answers that it is ready. A worker has no server: it is healthy as long as
// it runs, and its container needs no check.
const port = process.env.PORT ?? '3000'
try {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_500) })
  process.exitCode = response.ok ? 0 : 1
} catch {
  process.exitCode = 1
}
