/** Connection exceptions, shutdown and crash of the server, and what the socket itself reports. */
const LOSS_CODE = /^(08[0-9A-Z]{3}|57P0[0-5]|ECONNRESET|ECONNREFUSED|ECONNABORTED|EPIPE|ENOENT|ETIMEDOUT)$/
/** What pg says without a code. */
const LOSS_MESSAGE = /^(Connection terminated|Client has encountered a connection error)/

/** True when the connection broke or there was none: a read may be repeated, of a change it is not known if it was made. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false
  }
  return 'code' in error && typeof error.code === 'string'
    ? LOSS_CODE.test(error.code)
    : LOSS_MESSAGE.test(error.message)
}
