-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "allowed_models" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "allowed_networks" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "allowed_qualities" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "allowed_sizes" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "daily_budget" INTEGER,
ADD COLUMN     "monthly_budget" INTEGER;

-- AlterTable
ALTER TABLE "requests" ADD COLUMN     "tags" JSONB;

-- CreateTable
CREATE TABLE "plans" (
    "name" TEXT NOT NULL,
    "is_professional" BOOLEAN NOT NULL,
    "models" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "rate_limit_per_minute" INTEGER,
    "concurrency" INTEGER,
    "deadline_hours" DOUBLE PRECISION,
    "delete_after_days" DOUBLE PRECISION,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "plans_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "key_spending" (
    "key_id" UUID NOT NULL,
    "period" TEXT NOT NULL,
    "begins" DATE NOT NULL,
    "spent" INTEGER NOT NULL,

    CONSTRAINT "key_spending_pkey" PRIMARY KEY ("key_id","period","begins")
);

-- CreateTable
CREATE TABLE "webhooks" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_deliveries" (
    "id" UUID NOT NULL,
    "webhook_id" UUID NOT NULL,
    "image_id" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "tries" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_status" INTEGER,
    "last_error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "delivered_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_entries" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "details" JSONB,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "webhooks_account_id_idx" ON "webhooks"("account_id");

-- CreateIndex
CREATE INDEX "webhook_deliveries_webhook_id_created_at_idx" ON "webhook_deliveries"("webhook_id", "created_at");

-- CreateIndex
CREATE INDEX "audit_entries_at_idx" ON "audit_entries"("at");

-- ---------------------------------------------------------------------------------------------------------------
-- From here on by hand: what Prisma's schema can't say.

-- Plans ------------------------------------------------------------------------------------------------------------

INSERT INTO plans (name, is_professional) VALUES ('basic', false), ('professional', true);

ALTER TABLE plans
  ADD CONSTRAINT plans_name_check CHECK (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
  ADD CONSTRAINT plans_limits_check CHECK (rate_limit_per_minute > 0 AND concurrency > 0 AND deadline_hours > 0 AND delete_after_days >= 0);

ALTER TABLE accounts DROP CONSTRAINT accounts_plan_check,
  ADD CONSTRAINT accounts_plan_fkey FOREIGN KEY (plan) REFERENCES plans (name) ON UPDATE CASCADE;
ALTER TABLE images DROP CONSTRAINT images_plan_check;

-- Budgets of keys --------------------------------------------------------------------------------------------------

ALTER TABLE api_keys
  ADD CONSTRAINT api_keys_budgets_check CHECK (daily_budget >= 0 AND monthly_budget >= 0);
ALTER TABLE key_spending
  ADD CONSTRAINT key_spending_period_check CHECK (period IN ('day', 'month'));

-- Webhooks ---------------------------------------------------------------------------------------------------------

ALTER TABLE webhook_deliveries
  ADD CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'failed')),
  ADD CONSTRAINT webhook_deliveries_event_check CHECK (event IN ('image.finished', 'image.failed'));
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (due_at) WHERE status = 'pending';

-- Audit log --------------------------------------------------------------------------------------------------------

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log only grows: % is refused', TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Being able to see ------------------------------------------------------------------------------------------------

-- How long a model's images have been due, and how many: looked up every few seconds by whoever watches.
CREATE INDEX images_due_idx ON images (model, due_at) WHERE status = 'queued';
