export { type BackupOptions, type BackupSession, copyRunningCluster } from './backup.ts'
export { type EmbeddedPostgres, type JoinOptions, joinEmbeddedPostgres } from './embedded-postgres.ts'
export { type RestoreOptions, restoreCluster } from './restore.ts'
