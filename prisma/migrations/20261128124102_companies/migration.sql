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
-- What is due is looked for webhook by webhook, so that one that is away for long does not stand before the others.
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (webhook_id, due_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_created_idx ON webhook_deliveries USING brin (created_at);

-- Audit log --------------------------------------------------------------------------------------------------------

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log only grows: % is refused', TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Webhooks: the messages -------------------------------------------------------------------------------------------

-- Writes a message for each webhook of an account, in the transaction that ends the image.
CREATE FUNCTION tell_webhooks(of_image text, of_account uuid, what text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO webhook_deliveries (id, webhook_id, image_id, event)
    SELECT gen_random_uuid(), w.id, of_image, what
    FROM webhooks w WHERE w.account_id = of_account AND w.disabled_at IS NULL;
$$;

-- Marks an image as failed for good and gives its credits back, in one transaction,
-- with the messages that say so.
-- expected_fence NULL stands for an image that nobody holds. False: the image has moved on, nothing was done.
CREATE OR REPLACE FUNCTION fail_image(image_id text, expected_fence int, code text, reason text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  owner_id uuid;
  credits int;
  after_refund int;
BEGIN
  -- Locks are taken in one order everywhere: account, then image.
  SELECT i.account_id INTO owner_id FROM images i WHERE i.id = image_id;
  PERFORM FROM accounts a WHERE a.id = owner_id FOR UPDATE;

  UPDATE images i
    SET status = 'failed', failure_code = code, failure_message = reason, finished_at = now(),
        lease_owner = NULL, lease_until = NULL
    WHERE i.id = image_id
      AND CASE WHEN expected_fence IS NULL THEN i.status = 'queued'
               ELSE i.status = 'generating' AND i.fence = expected_fence END;
  IF NOT FOUND THEN
    RETURN false;
  END IF;

  SELECT -e.amount INTO STRICT credits FROM ledger_entries e WHERE e.kind = 'charge' AND e.ref = image_id;
  UPDATE accounts a SET balance = a.balance + credits WHERE a.id = owner_id RETURNING a.balance INTO after_refund;
  INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref, note)
    VALUES (owner_id, 'refund', credits, after_refund, image_id, code);
  PERFORM tell_webhooks(image_id, owner_id, 'image.failed');
  PERFORM pg_notify('wombat_image', image_id);
  RETURN true;
END $$;

-- As in the migration of the dev clock, with the deliveries of webhooks.
CREATE OR REPLACE FUNCTION advance_dev_clock(step_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  step interval := step_ms * interval '1 millisecond';
BEGIN
  IF step_ms <= 0 THEN
    RAISE EXCEPTION 'time never goes backwards';
  END IF;
  INSERT INTO dev_clock AS c (offset_ms) VALUES (step_ms)
    ON CONFLICT (is_only) DO UPDATE SET offset_ms = c.offset_ms + step_ms
      WHERE c.offset_ms + step_ms <= 36500 * 86400000::bigint;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE idempotency_keys SET created_at = created_at - step;
  UPDATE route_states SET open_until = open_until - step, paused_until = paused_until - step,
    next_call_at = next_call_at - step, changed_at = changed_at - step;
  UPDATE requests SET created_at = created_at - step;
  UPDATE images SET created_at = created_at - step, due_at = due_at - step, announce_at = announce_at - step,
    deadline_at = deadline_at - step, finished_at = finished_at - step, stored_at = stored_at - step;
  UPDATE attempts SET started_at = started_at - step, finished_at = finished_at - step;
  UPDATE garbage_objects SET delete_after = delete_after - step;
  UPDATE api_keys SET expires_at = expires_at - step WHERE expires_at IS NOT NULL;
  UPDATE account_turns SET counted_at = counted_at - step;
  UPDATE webhook_deliveries SET created_at = created_at - step, due_at = due_at - step, delivered_at = delivered_at - step;
  PERFORM pg_notify('wombat_accounts', '');
  PERFORM pg_notify('wombat_image', '*');
  RETURN true;
END $$;

-- TAGS OF REQUESTS: the whole of accept_requests, for the branch "hooks" alone. Where it is merged, this copy goes, and the
-- plans' own accept_requests gets the field `tags` (three places: b.tags, tags, and tags jsonb in the record of the INSERT
-- INTO requests).
CREATE OR REPLACE FUNCTION accept_requests(batch jsonb, is_repeat boolean)
RETURNS TABLE (n int, outcome text, balance int, request_id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  r record;
  known record;
  current_account uuid;
  is_disabled boolean;
  running int;
  taken int[] := '{}';
  taken_ids uuid[] := '{}';
  charged_accounts uuid[] := '{}';
  charged_amounts int[] := '{}';
  charged_after int[] := '{}';
  charged_images text[] := '{}';
  changed_accounts uuid[] := '{}';
  changed_balances int[] := '{}';
  is_changed boolean := false;
  image text;
BEGIN
  FOR r IN
    SELECT b.n, b.id, b.account, b.price, b.images, decode(b.idem, 'hex') AS idem, decode(b.body, 'hex') AS body
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, price int, images text[], idem text, body text)
    ORDER BY b.account, b.n
  LOOP
    -- Accounts are locked in the order of their ids, so that two batches never wait for each other in a circle.
    IF r.account IS DISTINCT FROM current_account THEN
      IF is_changed THEN
        changed_accounts := changed_accounts || current_account;
        changed_balances := changed_balances || running;
      END IF;
      current_account := r.account;
      is_changed := false;
      SELECT a.balance, a.disabled_at IS NOT NULL INTO running, is_disabled
        FROM accounts a WHERE a.id = r.account FOR UPDATE;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'account % is unknown', r.account;
      END IF;
    END IF;

    n := r.n;
    request_id := r.id;
    outcome := NULL;

    IF is_repeat AND EXISTS (SELECT FROM requests q WHERE q.id = r.id) THEN
      outcome := 'accepted';
    ELSIF is_disabled THEN
      outcome := 'disabled';
    ELSIF r.idem IS NOT NULL THEN
      SELECT k.body_hash, k.request_id INTO known FROM idempotency_keys k
        WHERE k.account_id = r.account AND k.key_hash = r.idem AND k.created_at > now() - interval '24 hours';
      IF FOUND THEN
        outcome := CASE WHEN known.body_hash = r.body THEN 'replay' ELSE 'conflict' END;
        request_id := known.request_id;
      END IF;
    END IF;

    IF outcome IS NULL AND running < r.price * cardinality(r.images) THEN
      outcome := 'insufficient';
    END IF;

    IF outcome IS NULL THEN
      outcome := 'accepted';
      is_changed := true;
      taken := taken || r.n;
      taken_ids := taken_ids || r.id;
      FOREACH image IN ARRAY r.images LOOP
        running := running - r.price;
        charged_accounts := charged_accounts || r.account;
        charged_amounts := charged_amounts || -r.price;
        charged_after := charged_after || running;
        charged_images := charged_images || image;
      END LOOP;
      IF r.idem IS NOT NULL THEN
        INSERT INTO idempotency_keys AS k (account_id, key_hash, body_hash, request_id)
          VALUES (r.account, r.idem, r.body, r.id)
          ON CONFLICT (account_id, key_hash) DO UPDATE
            SET body_hash = excluded.body_hash, request_id = excluded.request_id, created_at = now();
      END IF;
    END IF;

    balance := running;
    RETURN NEXT;
  END LOOP;

  IF is_changed THEN
    changed_accounts := changed_accounts || current_account;
    changed_balances := changed_balances || running;
  END IF;
  IF cardinality(taken) = 0 THEN
    RETURN;
  END IF;

  UPDATE accounts a SET balance = c.balance
    FROM unnest(changed_accounts, changed_balances) AS c(id, balance) WHERE a.id = c.id;

  INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref)
    SELECT c.account, 'charge', c.amount, c.after, c.image
    FROM unnest(charged_accounts, charged_amounts, charged_after, charged_images) AS c(account, amount, after, image);

  INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt,
                        is_enhanced, final_prompt, alt, is_alt_wanted, reference_images, simulate, tags)
    SELECT b.id, b.account, b.key, b.model, b.quality, b.style, b.styled, b.width, b.height, b.prompt,
           b.enhanced, b.final, b.alt, b.wants_alt, b.refs, b.simulate, b.tags
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, key uuid, model text, quality text, style text,
           styled boolean, width int, height int, prompt text, enhanced boolean, final text, alt text,
           wants_alt boolean, refs text[], simulate text, tags jsonb)
    WHERE b.n = ANY (taken);

  -- announce_at is the sweep's: the process that accepted the request announces it right after the commit.
  INSERT INTO images (id, request_id, account_id, position, model, is_original_preserved, plan, announce_at, deadline_at)
    SELECT i.id, b.id, b.account, i.ordinality - 1, b.model, b.preserve, b.plan, now() + interval '5 seconds',
           now() + make_interval(secs => b.deadline_hours * 3600)
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, model text, preserve boolean, plan text, images text[],
           deadline_hours double precision),
         unnest(b.images) WITH ORDINALITY AS i(id, ordinality)
    WHERE b.n = ANY (taken);
END $$;
