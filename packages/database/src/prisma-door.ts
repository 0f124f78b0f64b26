/** Prisma's own names that other packages need, such as Prisma.Decimal or input types. */
export { Prisma } from './generated/client.ts'
