export { ROLES, type Role, type RunningWombat, runWombat } from './run.ts'
export { type RunningServer, startServer } from './server.ts'
