/**
 * For `node --test --import`: a test file whose process does not end says what keeps it, and fails. Node's own limit is for
 * tests, and a process that has none left and a connection open would hold up the whole run.
 */
const LONGEST_FILE_MS = 400_000

// The runner itself imports this as well, and takes as long as all of its files.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  setTimeout(() => {
    const kept = process.getActiveResourcesInfo().join(', ')
    process.stderr.write(`${process.argv[1]} has not ended after ${LONGEST_FILE_MS / 1000} s. What is open: ${kept}\n`)
    process.exit(1)
  }, LONGEST_FILE_MS).unref()
}
