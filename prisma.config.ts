// For the prisma command. Wombat itself applies its migrations with `wombat migrate` and needs no configuration here.

const url = process.env.DATABASE_URL

export default {
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // `prisma generate` runs at install, where there is no database yet.
  ...(url !== undefined && url !== '' ? { datasource: { url } } : {}),
}
