export { createTestDatabase, type TestDatabase } from './database-fixture.ts'
export { createTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'
export { until } from './until.ts'
