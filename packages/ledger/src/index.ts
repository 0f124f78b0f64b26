export {
  type AcceptOutcome,
  type AcceptRequest,
  openAcceptor,
  type RequestAcceptor,
  type SpentBudget,
} from './accept.ts'
export { isOverBudget, removeOldSpending } from './budgets.ts'
export { type BalanceChange, changeBalance } from './change-balance.ts'
export { findBalance, type LedgerLine, listEntries } from './entries.ts'
export { failImage } from './refund.ts'
export { type NamedGroup, sumUsage, type UsageFilter, type UsageGroup, type UsageLine } from './usage.ts'
export { type LedgerFault, type LedgerReport, verifyLedger } from './verify.ts'
