import { z } from 'zod'
import * as admin from './admin.ts'
import { ACCOUNT_OPERATIONS } from './admin-account-operations.ts'
import * as reports from './admin-reports.ts'
import { WEBHOOK_OPERATIONS } from './admin-webhook-operations.ts'
import { define } from './operation.ts'

const NOT_FOUND = ['not_found'] as const
const CONFLICT = ['not_found', 'conflict'] as const

/** Credits, ledger, images, usage, routes, and the audit log. */
const REPORT_OPERATIONS = {
  grantCredits: define({
    id: 'grantCredits',
    method: 'POST',
    path: '/accounts/{accountId}/credits/grant',
    tag: 'Credits',
    summary: 'Gives credits',
    params: admin.accountParams,
    body: admin.grantSchema,
    answer: admin.bookedSchema,
    errors: CONFLICT,
  }),
  adjustCredits: define({
    id: 'adjustCredits',
    method: 'POST',
    path: '/accounts/{accountId}/credits/adjust',
    tag: 'Credits',
    summary: 'Corrects a balance upwards or downwards, never below zero',
    params: admin.accountParams,
    body: admin.adjustmentSchema,
    answer: admin.bookedSchema,
    errors: CONFLICT,
  }),
  listEntries: define({
    id: 'listEntries',
    method: 'GET',
    path: '/accounts/{accountId}/ledger',
    tag: 'Ledger',
    summary: 'The newest entries of an account',
    params: admin.accountParams,
    query: admin.pageQuery,
    answer: admin.pageOf(admin.entrySchema),
    errors: NOT_FOUND,
  }),
  verifyLedger: define({
    id: 'verifyLedger',
    method: 'GET',
    path: '/ledger/verify',
    tag: 'Ledger',
    summary: 'Recomputes all of it and tells what does not add up',
    answer: admin.ledgerReportSchema,
  }),
  listImages: define({
    id: 'listImages',
    method: 'GET',
    path: '/images',
    tag: 'Images',
    summary: 'The newest images',
    query: reports.imageListQuery,
    answer: admin.pageOf(reports.imageLineSchema),
  }),
  showImage: define({
    id: 'showImage',
    method: 'GET',
    path: '/images/{imageId}',
    tag: 'Images',
    summary: 'One image with every call of a provider',
    params: admin.imageParams,
    answer: reports.imageReportSchema,
    errors: NOT_FOUND,
  }),
  retryImage: define({
    id: 'retryImage',
    method: 'POST',
    path: '/images/{imageId}/retry',
    tag: 'Images',
    summary: 'Tries a waiting image now instead of later',
    params: admin.imageParams,
    answer: reports.retriedImageSchema,
    errors: CONFLICT,
  }),
  cancelImage: define({
    id: 'cancelWaitingImage',
    method: 'POST',
    path: '/images/{imageId}/cancel',
    tag: 'Images',
    summary: 'Calls off an image that waits, and gives its credits back',
    params: admin.imageParams,
    answer: reports.cancelledImageSchema,
    errors: CONFLICT,
  }),
  eraseImage: define({
    id: 'eraseImage',
    method: 'POST',
    path: '/images/{imageId}/erase',
    tag: 'Images',
    summary: 'Deletes an image for good; one that is still to be made is refunded',
    params: admin.imageParams,
    answer: reports.erasedImageSchema,
    errors: NOT_FOUND,
  }),
  usage: define({
    id: 'usage',
    method: 'GET',
    path: '/usage',
    tag: 'Usage',
    summary: 'What was ordered, made, charged, and paid to the providers',
    query: reports.usageQuery,
    answer: reports.usageSchema,
    errors: NOT_FOUND,
  }),
  usageCsv: define({
    id: 'usageCsv',
    method: 'GET',
    path: '/usage.csv',
    tag: 'Usage',
    summary: 'The same as CSV',
    query: reports.usageQuery,
    answer: z.string().meta({ contentType: 'text/csv' }),
    errors: NOT_FOUND,
  }),
  listRoutes: define({
    id: 'listRoutes',
    method: 'GET',
    path: '/routes',
    tag: 'Routes',
    summary: 'The ways to the providers: whether each is in use, and why not',
    answer: z.object({ items: z.array(reports.routeSchema) }),
  }),
  resumeRoute: define({
    id: 'resumeRoute',
    method: 'POST',
    path: '/routes/{route}/resume',
    tag: 'Routes',
    summary: 'Uses a route again at once, whatever kept it from use',
    params: admin.routeParams,
    answer: reports.resumedRouteSchema,
    errors: NOT_FOUND,
  }),
  listAudit: define({
    id: 'listAudit',
    method: 'GET',
    path: '/audit',
    tag: 'Audit log',
    summary: 'Every change that somebody made through this API or the command',
    query: admin.auditQuery,
    answer: admin.pageOf(admin.auditEntrySchema),
  }),
} as const

/** Every call of the admin API. */
export const ADMIN = { ...ACCOUNT_OPERATIONS, ...WEBHOOK_OPERATIONS, ...REPORT_OPERATIONS } as const
