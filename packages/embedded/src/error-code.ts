/** The `code` of a system error such as ENOENT, or undefined for every other thing that was thrown. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** For reads whose failure means that something is not there: that this process may open no more files says nothing of it. */
export function unlessOutOfFiles<T>(value: T): (error: unknown) => T {
  return (error) => {
    const code = errorCode(error)
    if (code === 'EMFILE' || code === 'ENFILE') {
      throw error
    }
    return value
  }
}
