-- CreateTable
CREATE TABLE "accounts" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "plan" TEXT NOT NULL,
    "balance" INTEGER NOT NULL DEFAULT 0,
    "rate_limit_per_minute" INTEGER,
    "is_bootstrap" BOOLEAN NOT NULL DEFAULT false,
    "disabled_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "accounts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "last_four" TEXT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "rate_limit_per_minute" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ledger_entries" (
    "id" BIGSERIAL NOT NULL,
    "account_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "amount" INTEGER NOT NULL,
    "balance_after" INTEGER NOT NULL,
    "ref" TEXT NOT NULL,
    "note" TEXT NOT NULL DEFAULT '',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ledger_entries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "requests" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "key_id" UUID NOT NULL,
    "model" TEXT NOT NULL,
    "quality" TEXT NOT NULL,
    "style" TEXT NOT NULL,
    "is_style_given" BOOLEAN NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "prompt" TEXT NOT NULL,
    "is_enhanced" BOOLEAN NOT NULL,
    "final_prompt" TEXT,
    "alt" TEXT NOT NULL DEFAULT '',
    "is_alt_wanted" BOOLEAN NOT NULL DEFAULT false,
    "enhancing_until" TIMESTAMPTZ(3),
    "reference_images" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "requests_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "images" (
    "id" TEXT NOT NULL,
    "request_id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "position" SMALLINT NOT NULL,
    "model" TEXT NOT NULL,
    "is_original_preserved" BOOLEAN NOT NULL DEFAULT false,
    "status" TEXT NOT NULL DEFAULT 'queued',
    "fence" INTEGER NOT NULL DEFAULT 0,
    "lease_owner" TEXT,
    "lease_until" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "announce_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "provider" TEXT,
    "object_key" TEXT,
    "content_type" TEXT,
    "size_bytes" INTEGER,
    "sha256" TEXT,
    "failure_code" TEXT,
    "failure_message" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),
    "stored_at" TIMESTAMPTZ(3),

    CONSTRAINT "images_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "attempts" (
    "id" BIGSERIAL NOT NULL,
    "image_id" TEXT NOT NULL,
    "fence" INTEGER NOT NULL,
    "provider" TEXT NOT NULL,
    "is_paid" BOOLEAN NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "failure" TEXT,
    "message" TEXT,
    "upstream_id" TEXT,
    "usage" JSONB,
    "cost_micro_usd" BIGINT,

    CONSTRAINT "attempts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "account_id" UUID NOT NULL,
    "key_hash" BYTEA NOT NULL,
    "body_hash" BYTEA NOT NULL,
    "request_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("account_id","key_hash")
);

-- CreateTable
CREATE TABLE "garbage_objects" (
    "object_key" TEXT NOT NULL,
    "delete_after" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "garbage_objects_pkey" PRIMARY KEY ("object_key")
);

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_hash_key" ON "api_keys"("hash");

-- CreateIndex
CREATE INDEX "api_keys_account_id_idx" ON "api_keys"("account_id");

-- CreateIndex
CREATE INDEX "ledger_entries_account_id_id_idx" ON "ledger_entries"("account_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "ledger_entries_kind_ref_key" ON "ledger_entries"("kind", "ref");

-- CreateIndex
CREATE INDEX "requests_account_id_created_at_idx" ON "requests"("account_id", "created_at");

-- CreateIndex
CREATE INDEX "images_request_id_idx" ON "images"("request_id");

-- CreateIndex
CREATE INDEX "attempts_image_id_idx" ON "attempts"("image_id");

-- CreateIndex
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys"("created_at");

-- CreateIndex
CREATE INDEX "garbage_objects_delete_after_idx" ON "garbage_objects"("delete_after");

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "requests" ADD CONSTRAINT "requests_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "images" ADD CONSTRAINT "images_request_id_fkey" FOREIGN KEY ("request_id") REFERENCES "requests"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_image_id_fkey" FOREIGN KEY ("image_id") REFERENCES "images"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- ---------------------------------------------------------------------------------------------------------------
-- From here on by hand: what Prisma's schema can't say.

-- Money: the same invariants as in packages/ledger, so that no code can break them.
ALTER TABLE accounts
  ADD CONSTRAINT accounts_plan_check CHECK (plan IN ('basic', 'professional')),
  ADD CONSTRAINT accounts_balance_check CHECK (balance >= 0),
  ADD CONSTRAINT accounts_rate_limit_check CHECK (rate_limit_per_minute > 0);

CREATE UNIQUE INDEX accounts_bootstrap_key ON accounts (is_bootstrap) WHERE is_bootstrap;

ALTER TABLE api_keys
  ADD CONSTRAINT api_keys_hash_check CHECK (octet_length(hash) = 32),
  ADD CONSTRAINT api_keys_last_four_check CHECK (char_length(last_four) = 4),
  ADD CONSTRAINT api_keys_rate_limit_check CHECK (rate_limit_per_minute > 0);

ALTER TABLE ledger_entries
  ADD CONSTRAINT ledger_entries_amount_check CHECK (
    CASE kind
      WHEN 'grant' THEN amount > 0
      WHEN 'charge' THEN amount < 0
      WHEN 'refund' THEN amount > 0
      WHEN 'adjustment' THEN amount <> 0
      ELSE false
    END),
  ADD CONSTRAINT ledger_entries_balance_after_check CHECK (balance_after >= 0);

CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger only grows: % of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

-- State: a row is never half in a state.
ALTER TABLE requests
  ADD CONSTRAINT requests_size_check CHECK (width BETWEEN 64 AND 4096 AND height BETWEEN 64 AND 4096);

ALTER TABLE images
  ADD CONSTRAINT images_position_check CHECK (position BETWEEN 0 AND 3),
  ADD CONSTRAINT images_fence_check CHECK (fence >= 0),
  ADD CONSTRAINT images_status_check CHECK (
    CASE status
      WHEN 'queued' THEN lease_owner IS NULL AND lease_until IS NULL AND finished_at IS NULL AND object_key IS NULL
      WHEN 'generating' THEN lease_owner IS NOT NULL AND lease_until IS NOT NULL AND finished_at IS NULL AND object_key IS NULL
      WHEN 'ready' THEN finished_at IS NOT NULL AND object_key IS NOT NULL AND sha256 IS NOT NULL AND size_bytes > 0
        AND stored_at IS NOT NULL AND content_type IN ('image/jpeg', 'image/png') AND failure_code IS NULL
      WHEN 'failed' THEN finished_at IS NOT NULL AND failure_code IS NOT NULL AND object_key IS NULL
      ELSE false
    END);

CREATE UNIQUE INDEX images_object_key_key ON images (object_key) WHERE object_key IS NOT NULL;
CREATE INDEX images_announce_idx ON images (announce_at) WHERE status = 'queued';
CREATE INDEX images_lease_idx ON images (lease_until) WHERE status = 'generating';
CREATE INDEX images_original_idx ON images (stored_at) WHERE status = 'ready' AND content_type = 'image/png';

ALTER TABLE attempts
  ADD CONSTRAINT attempts_outcome_check CHECK (outcome IN ('done', 'not_sent', 'refused', 'unknown')),
  ADD CONSTRAINT attempts_finished_check CHECK ((outcome IS NULL) = (finished_at IS NULL));

ALTER TABLE idempotency_keys
  ADD CONSTRAINT idempotency_keys_hash_check CHECK (octet_length(key_hash) = 32 AND octet_length(body_hash) = 32);

-- Accepts a batch of POSTs: for each, in the order of the batch, takes its whole price from its account or refuses it.
-- One call is one transaction, so either all that it reports as accepted is durable or nothing of it is.
--
-- batch: [{n, id, account, key, idem, body, model, quality, style, styled, width, height, prompt, enhanced, final,
--          alt, wants_alt, refs, preserve, price, images: [image ids], deadline_hours}], idem and body in hexadecimal.
-- is_repeat: the caller does not know whether an earlier call with the same batch was committed.
-- Answers one row for each n: outcome accepted | insufficient | replay | conflict | disabled, the balance after it,
-- and for a replay the id of the first request.
CREATE FUNCTION accept_requests(batch jsonb, is_repeat boolean)
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
                        is_enhanced, final_prompt, alt, is_alt_wanted, reference_images)
    SELECT b.id, b.account, b.key, b.model, b.quality, b.style, b.styled, b.width, b.height, b.prompt,
           b.enhanced, b.final, b.alt, b.wants_alt, b.refs
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, key uuid, model text, quality text, style text,
           styled boolean, width int, height int, prompt text, enhanced boolean, final text, alt text,
           wants_alt boolean, refs text[])
    WHERE b.n = ANY (taken);

  -- announce_at is the sweep's: the process that accepted the request announces it right after the commit.
  INSERT INTO images (id, request_id, account_id, position, model, is_original_preserved, announce_at, deadline_at)
    SELECT i.id, b.id, b.account, i.ordinality - 1, b.model, b.preserve, now() + interval '5 seconds',
           now() + make_interval(secs => b.deadline_hours * 3600)
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, model text, preserve boolean, images text[],
           deadline_hours double precision),
         unnest(b.images) WITH ORDINALITY AS i(id, ordinality)
    WHERE b.n = ANY (taken);
END $$;

-- Marks an image as failed for good and gives its credits back, in one transaction.
-- expected_fence NULL stands for an image that nobody holds. False: the image has moved on, nothing was done.
CREATE FUNCTION fail_image(image_id text, expected_fence int, code text, reason text) RETURNS boolean
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
  PERFORM pg_notify('wombat_image', image_id);
  RETURN true;
END $$;

-- Changes a balance by hand: a grant or an adjustment. Answers the new balance, or NULL when it would go below zero.
-- The same kind and ref again changes nothing and answers the balance as it is.
CREATE FUNCTION change_balance(account uuid, entry_kind text, entry_amount int, entry_ref text, entry_note text)
RETURNS TABLE (balance int, is_repeated boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  after_change int;
  earlier record;
BEGIN
  SELECT a.balance INTO STRICT after_change FROM accounts a WHERE a.id = account FOR UPDATE;
  SELECT e.account_id, e.amount INTO earlier FROM ledger_entries e WHERE e.kind = entry_kind AND e.ref = entry_ref;
  IF FOUND THEN
    IF earlier.account_id <> account OR earlier.amount <> entry_amount THEN
      RAISE EXCEPTION 'ref % was used for another entry', entry_ref USING ERRCODE = 'unique_violation';
    END IF;
    RETURN QUERY SELECT after_change, true;
    RETURN;
  END IF;
  IF after_change + entry_amount < 0 THEN
    RETURN QUERY SELECT NULL::int, false;
    RETURN;
  END IF;
  UPDATE accounts a SET balance = a.balance + entry_amount WHERE a.id = account RETURNING a.balance INTO after_change;
  INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref, note)
    VALUES (account, entry_kind, entry_amount, after_change, entry_ref, entry_note);
  RETURN QUERY SELECT after_change, false;
END $$;
