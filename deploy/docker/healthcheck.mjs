// Exit code 0 when the process of this container answers that it is ready: at PORT, or at the port that is named. A worker and
// a scheduler answer at METRICS_PORT.
const port = process.argv[2] ?? process.env.PORT ?? '3000'
try {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_500) })
  process.exitCode = response.ok ? 0 : 1
} catch {
  process.exitCode = 1
}
