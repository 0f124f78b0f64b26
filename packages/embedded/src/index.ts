export { type EmbeddedPostgres, type JoinOptions, joinEmbeddedPostgres } from './embedded-postgres.ts'
