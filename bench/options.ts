/** What every script is told. */
export interface BenchOptions {
  /** Of one round. */
  readonly seconds: number
  readonly rounds: number
  readonly waiters: number
  /** Of the trial `outage`. */
  readonly outageSeconds: number
  /** Of the trial `growth`. */
  readonly images: number
  /** Where the servers leave CPU profiles, if anywhere. */
  readonly profileDir: string | undefined
}
