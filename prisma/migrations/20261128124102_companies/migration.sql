-- AlterTable
ALTER TABLE "accounts" ADD COLUMN     "has_key_budgets" BOOLEAN NOT NULL DEFAULT false;

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

-- What keys and plans allow ----------------------------------------------------------------------------------------
--
-- key_spending has what a key with a budget has spent in a period of UTC: the charges of the requests of that period,
-- less their refunds. It changes only under the lock of the key's account, in the transaction that moves the credits.

-- The same, from the ledger, from a moment on.
CREATE FUNCTION spent_by_key(counted uuid, since timestamptz) RETURNS int
LANGUAGE sql STABLE AS $$
  SELECT coalesce(-sum(e.amount), 0)::int
  FROM api_keys k
    JOIN requests r ON r.account_id = k.account_id AND r.key_id = k.id AND r.created_at >= since
    JOIN images i ON i.request_id = r.id
    JOIN ledger_entries e ON e.kind IN ('charge', 'refund') AND e.ref = i.id
  WHERE k.id = counted
$$;

-- The current periods of a key, as the ledger has them.
CREATE FUNCTION recount_key(counted uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  moment timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
  DELETE FROM key_spending s WHERE s.key_id = counted;
  INSERT INTO key_spending (key_id, period, begins, spent)
    SELECT counted, p.period, p.begins::date, spent_by_key(counted, p.begins AT TIME ZONE 'UTC')
    FROM (VALUES ('day', date_trunc('day', moment)), ('month', date_trunc('month', moment))) AS p(period, begins);
END $$;

-- A budget that is set counts what was spent in its period already.
CREATE FUNCTION note_key_budgets() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- Keeps charges and refunds away. Not FOR UPDATE, which would wait for another new key's foreign key, and that for us.
  PERFORM FROM accounts a WHERE a.id = NEW.account_id FOR NO KEY UPDATE;
  IF NEW.daily_budget IS NULL AND NEW.monthly_budget IS NULL THEN
    DELETE FROM key_spending s WHERE s.key_id = NEW.id;
  ELSE
    PERFORM recount_key(NEW.id);
  END IF;
  UPDATE accounts a
    SET has_key_budgets = EXISTS (SELECT FROM api_keys k WHERE k.account_id = a.id
                                    AND (k.daily_budget IS NOT NULL OR k.monthly_budget IS NOT NULL))
    WHERE a.id = NEW.account_id;
  RETURN NULL;
END $$;
CREATE TRIGGER api_keys_new_budget AFTER INSERT ON api_keys FOR EACH ROW
  WHEN (NEW.daily_budget IS NOT NULL OR NEW.monthly_budget IS NOT NULL) EXECUTE FUNCTION note_key_budgets();
CREATE TRIGGER api_keys_other_budget AFTER UPDATE OF daily_budget, monthly_budget ON api_keys FOR EACH ROW
  WHEN ((OLD.daily_budget, OLD.monthly_budget) IS DISTINCT FROM (NEW.daily_budget, NEW.monthly_budget))
  EXECUTE FUNCTION note_key_budgets();

-- Whoever writes a refund gives the budget back with it.
CREATE FUNCTION return_to_budget() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE key_spending s SET spent = s.spent - NEW.amount
    FROM images i JOIN requests r ON r.id = i.request_id
    WHERE i.id = NEW.ref AND s.key_id = r.key_id
      AND s.begins = date_trunc(s.period, r.created_at AT TIME ZONE 'UTC')::date;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_refund AFTER INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind = 'refund') EXECUTE FUNCTION return_to_budget();

-- When the clock of a server under development was moved, at the commit, when the requests have moved too.
CREATE FUNCTION move_key_spending() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- Whoever is charging has locked one of these: afterwards the ledger has it.
  PERFORM FROM key_spending ORDER BY key_id, period, begins FOR UPDATE;
  PERFORM recount_key(k.id) FROM api_keys k WHERE k.daily_budget IS NOT NULL OR k.monthly_budget IS NOT NULL;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER dev_clock_moves_spending AFTER INSERT OR UPDATE ON dev_clock
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION move_key_spending();

-- Which budget a price goes beyond: of two the one that lasts longer. NULL: none.
CREATE FUNCTION over_budget(daily_budget int, daily_spent int, monthly_budget int, monthly_spent int, price int,
                            today date, this_month date) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN monthly_spent + price > monthly_budget THEN jsonb_build_object(
      'period', 'month', 'budget', monthly_budget, 'spent', monthly_spent, 'resets', this_month + interval '1 month')
    WHEN daily_spent + price > daily_budget THEN jsonb_build_object(
      'period', 'day', 'budget', daily_budget, 'spent', daily_spent, 'resets', today + interval '1 day')
  END
$$;

-- As before, with budgets and one more field in the batch: tags. One more outcome: over budget, with the column budget
-- {period, budget, spent, resets}, resets without a zone in UTC. A budget is looked at before the balance.
DROP FUNCTION accept_requests(jsonb, boolean);
CREATE FUNCTION accept_requests(batch jsonb, is_repeat boolean)
RETURNS TABLE (n int, outcome text, balance int, request_id uuid, budget jsonb)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  r record;
  known record;
  current_account uuid;
  is_disabled boolean;
  has_budgets boolean;
  is_budgeted boolean;
  b record;
  today date := (now()::timestamptz(3) AT TIME ZONE 'UTC')::date;
  this_month date := date_trunc('month', now()::timestamptz(3) AT TIME ZONE 'UTC')::date;
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
    SELECT b.n, b.id, b.account, b.key, b.price, b.images, decode(b.idem, 'hex') AS idem, decode(b.body, 'hex') AS body
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, key uuid, price int, images text[], idem text, body text)
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
      SELECT a.balance, a.disabled_at IS NOT NULL, a.has_key_budgets INTO running, is_disabled, has_budgets
        FROM accounts a WHERE a.id = r.account FOR UPDATE;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'account % is unknown', r.account;
      END IF;
    END IF;

    n := r.n;
    request_id := r.id;
    outcome := NULL;
    budget := NULL;
    is_budgeted := false;

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

    IF outcome IS NULL AND has_budgets THEN
      SELECT k.daily_budget, k.monthly_budget,
             coalesce((SELECT s.spent FROM key_spending s
                       WHERE s.key_id = k.id AND s.period = 'day' AND s.begins = today), 0) AS daily_spent,
             coalesce((SELECT s.spent FROM key_spending s
                       WHERE s.key_id = k.id AND s.period = 'month' AND s.begins = this_month), 0) AS monthly_spent
        INTO b FROM api_keys k
        WHERE k.id = r.key AND (k.daily_budget IS NOT NULL OR k.monthly_budget IS NOT NULL);
      is_budgeted := FOUND;
      IF is_budgeted THEN
        budget := over_budget(b.daily_budget, b.daily_spent, b.monthly_budget, b.monthly_spent,
                              r.price * cardinality(r.images), today, this_month);
        IF budget IS NOT NULL THEN
          outcome := 'over budget';
        END IF;
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
      IF is_budgeted THEN
        INSERT INTO key_spending AS s (key_id, period, begins, spent)
          VALUES (r.key, 'day', today, r.price * cardinality(r.images)),
                 (r.key, 'month', this_month, r.price * cardinality(r.images))
          ON CONFLICT (key_id, period, begins) DO UPDATE SET spent = s.spent + excluded.spent;
      END IF;
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

-- Accounts that have as many images in the making as their plan allows.
CREATE FUNCTION accounts_at_limit() RETURNS uuid[]
LANGUAGE sql STABLE AS $$
  SELECT coalesce(array_agg(b.account_id), '{}')
  FROM (SELECT i.account_id, count(*) AS images FROM images i WHERE i.status = 'generating' GROUP BY i.account_id) b
    JOIN accounts a ON a.id = b.account_id JOIN plans p ON p.name = a.plan
  WHERE b.images >= p.concurrency
$$;

-- Whether the plan of an account allows another image in the making. Claims of one account decide this one after the
-- other, up to the end of their transactions: those of different models hold no lock of a route together.
CREATE FUNCTION may_begin(account uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  most int;
BEGIN
  SELECT p.concurrency INTO most FROM accounts a JOIN plans p ON p.name = a.plan WHERE a.id = account;
  IF most IS NULL THEN
    RETURN true;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('images in the making'), hashtext(account::text));
  RETURN (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.account_id = account) < most;
END $$;

-- As before, without the accounts that are named.
DROP FUNCTION next_image(text);
CREATE FUNCTION next_image(lane text, full_accounts uuid[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  start uuid := gen_random_uuid();
  picked text;
BEGIN
  WITH RECURSIVE behind AS (
    (SELECT i.account_id, 1 AS place FROM images i
     WHERE i.status = 'queued' AND i.model = lane AND i.account_id > start ORDER BY i.account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT i.account_id FROM images i
            WHERE i.status = 'queued' AND i.model = lane AND i.account_id > w.account_id ORDER BY i.account_id LIMIT 1),
           w.place + 1
    FROM behind w WHERE w.account_id IS NOT NULL AND w.place < 64),
  before AS (
    (SELECT i.account_id, 1 AS place FROM images i
     WHERE i.status = 'queued' AND i.model = lane AND i.account_id <= start ORDER BY i.account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT i.account_id FROM images i
            WHERE i.status = 'queued' AND i.model = lane AND i.account_id > w.account_id AND i.account_id <= start
            ORDER BY i.account_id LIMIT 1),
           w.place + 1
    FROM before w WHERE w.account_id IS NOT NULL AND w.place < 64),
  waiting AS (SELECT account_id FROM behind UNION ALL SELECT account_id FROM before),
  busy AS (
    SELECT i.account_id, count(*) AS images FROM images i
    WHERE i.status = 'generating' AND i.model = lane GROUP BY i.account_id)
  SELECT oldest.id INTO picked
  FROM (SELECT account_id FROM waiting WHERE account_id IS NOT NULL AND account_id <> ALL (full_accounts)) w
    CROSS JOIN LATERAL (
      SELECT i.id, i.created_at FROM images i
      WHERE i.status = 'queued' AND i.model = lane AND i.account_id = w.account_id AND i.due_at <= now()
      ORDER BY i.created_at LIMIT 1) oldest
    LEFT JOIN busy b ON b.account_id = w.account_id
    LEFT JOIN account_turns t ON t.model = lane AND t.account_id = w.account_id
  ORDER BY coalesce(b.images, 0),
           floor(coalesce(t.turns * power(0.5, least(60, extract(epoch FROM now() - t.counted_at) / 30)), 0)),
           oldest.created_at
  LIMIT 1;
  RETURN picked;
END $$;

-- As before, without accounts that have as many images in the making as their plan allows.
CREATE OR REPLACE FUNCTION claim_image(lane text, wanted text, owner text, lease_seconds double precision, candidates jsonb)
RETURNS TABLE (image_id text, route text, is_probe boolean, job_attempt bigint, job_id text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  picked text;
  found_job record;
  bound route_states;
  bound_most int;
  chosen text;
  owner_account uuid;
  has_limits boolean;
  full_accounts uuid[] := '{}';
BEGIN
  IF wanted IS NULL THEN
    PERFORM FROM images i WHERE i.status = 'queued' AND i.model = lane AND i.due_at <= now() LIMIT 1;
  ELSE
    PERFORM FROM images i WHERE i.id = wanted AND i.status = 'queued' AND i.model = lane AND i.due_at <= now();
  END IF;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  chosen := free_route(candidates);
  IF chosen IS NULL THEN
    RETURN;
  END IF;

  has_limits := EXISTS (SELECT FROM plans p WHERE p.concurrency IS NOT NULL);
  IF has_limits THEN
    full_accounts := accounts_at_limit();
  END IF;

  FOR turn IN 1..64 LOOP
    picked := coalesce(wanted, next_image(lane, full_accounts));
    IF picked IS NULL THEN
      RETURN;
    END IF;
    SELECT i.account_id INTO owner_account FROM images i WHERE i.id = picked;
    IF has_limits AND NOT may_begin(owner_account) THEN
      IF wanted IS NOT NULL THEN
        RETURN;
      END IF;
      -- Another claim was quicker with the last place of this account: others go on.
      full_accounts := full_accounts || owner_account;
      picked := NULL;
      CONTINUE;
    END IF;
    SELECT a.id, a.route, a.job_id INTO found_job FROM attempts a
      WHERE a.image_id = picked AND a.outcome IS NULL AND a.job_id IS NOT NULL
        AND a.route IN (SELECT x.id FROM jsonb_to_recordset(candidates) AS x(id text))
      ORDER BY a.id DESC LIMIT 1;
    EXIT WHEN found_job.id IS NULL OR found_job.route = chosen;

    SELECT * INTO bound FROM route_states r WHERE r.route = found_job.route;
    SELECT x.most INTO bound_most FROM jsonb_to_recordset(candidates) AS x(id text, most int) WHERE x.id = bound.route;
    EXIT WHEN route_room(bound.state, bound.open_until, bound.paused_until, bound.next_call_at, bound.ramp,
                         bound.probe_image, bound.route, bound_most,
                         (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.route = bound.route)) > 0;
    -- Out of the way of those behind it; when its route is back it is due at once (wake_route).
    UPDATE images i
      SET due_at = greatest(now() + interval '1 second', bound.open_until, bound.paused_until),
          announce_at = greatest(now() + interval '1 second', bound.open_until, bound.paused_until),
          route = bound.route
      WHERE i.id = picked AND i.status = 'queued';
    picked := NULL;
    IF wanted IS NOT NULL THEN
      RETURN;
    END IF;
  END LOOP;

  UPDATE images i
    SET status = 'generating', fence = i.fence + 1, lease_owner = owner,
        lease_until = now() + make_interval(secs => lease_seconds), route = coalesce(found_job.route, chosen)
    WHERE i.id = picked AND i.status = 'queued' AND i.due_at <= now()
    RETURNING i.account_id INTO owner_account;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  INSERT INTO account_turns AS t (model, account_id, turns, counted_at) VALUES (lane, owner_account, 1, now())
    ON CONFLICT (model, account_id) DO UPDATE
      SET turns = 1 + t.turns * power(0.5, least(60, extract(epoch FROM now() - t.counted_at) / 30)), counted_at = now();
  image_id := picked;
  route := coalesce(found_job.route, chosen);
  is_probe := use_route(route, candidates, picked);
  job_attempt := found_job.id;
  job_id := found_job.job_id;
  RETURN NEXT;
END $$;

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
  of_request uuid;
  credits int;
  after_refund int;
BEGIN
  -- Locks are taken in one order everywhere: account, then image.
  SELECT i.account_id, i.request_id INTO owner_id, of_request FROM images i WHERE i.id = image_id;
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
  PERFORM release_references(of_request);
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

-- Counters of limits -----------------------------------------------------------------------------------------------

-- How often a key or an address has asked in the minute that it is in, for all processes. A crash may forget it all, so
-- no disk is waited for; half of each page stays free, for each count makes a new version of its row.
CREATE UNLOGGED TABLE rate_counts (
  name text NOT NULL,
  count integer NOT NULL,
  resets_at timestamptz(3) NOT NULL,
  CONSTRAINT rate_counts_pkey PRIMARY KEY (name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
-- Being able to see ------------------------------------------------------------------------------------------------

-- How long a model's images have been due, and how many: looked up every few seconds by whoever watches.
CREATE INDEX images_due_idx ON images (model, due_at) WHERE status = 'queued';
