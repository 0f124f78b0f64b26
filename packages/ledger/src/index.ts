export {
  type AcceptOutcome,
  type AcceptRequest,
  openAcceptor,
  type RequestAcceptor,
} from './accept.ts'
export { findBudgetExcess, isOverBudget, removeOldSpending, type SpentBudget } from './budgets.ts'
export { type BalanceChange, changeBalance } from './change-balance.ts'
export { findBalance, type LedgerLine, listEntries } from './entries.ts'
export { type LastMovements, sumLastMinute } from './last-minute.ts'
export { failImage, findCharge } from './refund.ts'
export {
  type NamedGroup,
  sumUsage,
  type UsageFilter,
  type UsageGroup,
  type UsageLine,
} from './usage.ts'
export { type LedgerFault, type LedgerReport, verifyLedger } from './verify.ts'
