-- AlterTable
ALTER TABLE "requests" ADD COLUMN     "simulate" TEXT;

-- AlterTable
ALTER TABLE "images" ADD COLUMN     "plan" TEXT NOT NULL DEFAULT 'professional',
ADD COLUMN     "route" TEXT;

-- AlterTable
ALTER TABLE "attempts" ADD COLUMN     "job_id" TEXT,
ADD COLUMN     "latency_ms" INTEGER,
ADD COLUMN     "route" TEXT;

-- CreateTable
CREATE TABLE "route_states" (
    "route" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'closed',
    "failures" INTEGER NOT NULL DEFAULT 0,
    "opens" INTEGER NOT NULL DEFAULT 0,
    "open_until" TIMESTAMPTZ(3),
    "paused_until" TIMESTAMPTZ(3),
    "ramp" INTEGER NOT NULL DEFAULT 1000000,
    "next_call_at" TIMESTAMPTZ(3),
    "probe_image" TEXT,
    "reason" TEXT,
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "route_states_pkey" PRIMARY KEY ("route")
);

-- CreateTable
CREATE TABLE "account_turns" (
    "model" TEXT NOT NULL,
    "account_id" UUID NOT NULL,
    "turns" DOUBLE PRECISION NOT NULL,
    "counted_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "account_turns_pkey" PRIMARY KEY ("model","account_id")
);

-- ---------------------------------------------------------------------------------------------------------------
-- From here on by hand: what Prisma's schema can't say.

UPDATE images i SET plan = a.plan FROM accounts a WHERE a.id = i.account_id AND a.plan <> i.plan;
UPDATE images SET route = provider WHERE provider IS NOT NULL;

ALTER TABLE images
  DROP CONSTRAINT images_status_check,
  ADD CONSTRAINT images_plan_check CHECK (plan IN ('basic', 'professional')),
  ADD CONSTRAINT images_status_check CHECK (
    CASE status
      WHEN 'queued' THEN lease_owner IS NULL AND lease_until IS NULL AND finished_at IS NULL AND object_key IS NULL
      WHEN 'generating' THEN lease_owner IS NOT NULL AND lease_until IS NOT NULL AND finished_at IS NULL AND object_key IS NULL
      WHEN 'ready' THEN finished_at IS NOT NULL AND object_key IS NOT NULL AND sha256 IS NOT NULL AND size_bytes > 0
        AND stored_at IS NOT NULL AND content_type IN ('image/jpeg', 'image/png') AND failure_code IS NULL
      WHEN 'failed' THEN finished_at IS NOT NULL AND failure_code IS NOT NULL AND object_key IS NULL
      WHEN 'removed' THEN finished_at IS NOT NULL AND failure_code IN ('image_erased', 'image_expired') AND object_key IS NULL
      ELSE false
    END);

ALTER TABLE route_states
  ADD CONSTRAINT route_states_state_check CHECK (
    CASE state
      WHEN 'closed' THEN open_until IS NULL
      WHEN 'open' THEN open_until IS NOT NULL
      WHEN 'parked' THEN open_until IS NOT NULL
      ELSE false
    END),
  ADD CONSTRAINT route_states_ramp_check CHECK (ramp >= 1);

DROP INDEX images_announce_idx;
CREATE INDEX images_announce_idx ON images (model, announce_at) WHERE status = 'queued';
CREATE INDEX images_lane_idx ON images (model, account_id, created_at) WHERE status = 'queued';
CREATE INDEX images_deadline_idx ON images (deadline_at) WHERE status = 'queued';
CREATE INDEX images_kept_idx ON images (plan, finished_at) WHERE status = 'ready';
CREATE INDEX images_refused_idx ON images (account_id, finished_at) WHERE failure_code = 'moderation_refused';
CREATE INDEX images_created_idx ON images USING brin (created_at);

-- As in the first migration, with two more fields in the batch: simulate and plan.
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
                        is_enhanced, final_prompt, alt, is_alt_wanted, reference_images, simulate)
    SELECT b.id, b.account, b.key, b.model, b.quality, b.style, b.styled, b.width, b.height, b.prompt,
           b.enhanced, b.final, b.alt, b.wants_alt, b.refs, b.simulate
    FROM jsonb_to_recordset(batch) AS b(n int, id uuid, account uuid, key uuid, model text, quality text, style text,
           styled boolean, width int, height int, prompt text, enhanced boolean, final text, alt text,
           wants_alt boolean, refs text[], simulate text)
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

-- Routes -----------------------------------------------------------------------------------------------------------
--
-- A route is an upstream with a key. Configuration names it; what the processes must agree on is in route_states.
-- candidates: [{id, most, per_minute}] in the order of preference; most is how many calls may run at once in all
-- processes, per_minute may be null.

-- The first route that may take a call now, or NULL. Its state stays locked to the end of the transaction, so that two
-- claims never count the same free place.
CREATE FUNCTION free_route(candidates jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  c record;
BEGIN
  INSERT INTO route_states (route)
    SELECT x.id FROM jsonb_to_recordset(candidates) AS x(id text)
    WHERE NOT EXISTS (SELECT FROM route_states s WHERE s.route = x.id)
    ON CONFLICT DO NOTHING;
  -- In one order, so that two claims with other preferences never wait for each other in a circle.
  PERFORM FROM route_states s WHERE s.route IN (SELECT x.id FROM jsonb_to_recordset(candidates) AS x(id text))
    ORDER BY s.route FOR UPDATE;
  FOR c IN
    SELECT s.*, x.most, (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.route = s.route) AS busy
    FROM jsonb_array_elements(candidates) WITH ORDINALITY AS e(entry, place),
         jsonb_to_record(e.entry) AS x(id text, most int),
         route_states s
    WHERE s.route = x.id ORDER BY e.place
  LOOP
    IF route_room(c.state, c.open_until, c.paused_until, c.next_call_at, c.ramp, c.probe_image, c.route, c.most, c.busy) > 0 THEN
      RETURN c.route;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

-- How many calls may begin on a route now.
CREATE FUNCTION route_room(state text, open_until timestamptz, paused_until timestamptz, next_call_at timestamptz,
                           ramp int, probe_image text, route_id text, most int, busy bigint) RETURNS int
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF coalesce(paused_until > now(), false) OR coalesce(next_call_at > now(), false) THEN
    RETURN 0;
  END IF;
  IF state = 'closed' THEN
    RETURN greatest(0, least(most, ramp) - busy);
  END IF;
  -- Half-open: one call finds out. If its worker dies, the image comes back to the queue and another may try.
  IF open_until > now() OR EXISTS (
    SELECT FROM images i WHERE i.id = probe_image AND i.status = 'generating' AND i.route = route_id) THEN
    RETURN 0;
  END IF;
  RETURN 1;
END $$;

-- How many calls may begin on all these routes now. Locks nothing.
CREATE FUNCTION lane_room(candidates jsonb) RETURNS int
LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(CASE WHEN s.route IS NULL THEN x.most ELSE route_room(s.state, s.open_until, s.paused_until,
           s.next_call_at, s.ramp, s.probe_image, s.route, x.most,
           (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.route = s.route)) END), 0)::int
  FROM jsonb_to_recordset(candidates) AS x(id text, most int) LEFT JOIN route_states s ON s.route = x.id
$$;

-- Notes that a call begins. True: it is the one that tries an open route.
CREATE FUNCTION use_route(used text, candidates jsonb, for_image text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  per_minute double precision;
  is_probe boolean;
BEGIN
  SELECT x.per_minute INTO per_minute
    FROM jsonb_to_recordset(candidates) AS x(id text, per_minute double precision) WHERE x.id = used;
  -- A route that was idle may make up for five seconds, so that looking for work once a second wastes nothing.
  UPDATE route_states s
    SET next_call_at = CASE WHEN per_minute IS NULL THEN NULL
          ELSE greatest(s.next_call_at, now() - interval '5 seconds') + make_interval(secs => 60 / per_minute) END,
        probe_image = CASE WHEN s.state = 'closed' THEN NULL ELSE for_image END
    WHERE s.route = used RETURNING s.state <> 'closed' INTO is_probe;
  RETURN is_probe;
END $$;

-- The image of a model to be made next: of the accounts that wait, the one with the fewest images in hand, then the one that
-- was served least in the last half a minute; of that account the oldest image that is due. Of very many accounts a sample is
-- enough: up to 64 from a random place on, and up to 64 from the beginning.
CREATE FUNCTION next_image(lane text) RETURNS text
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
  FROM (SELECT account_id FROM waiting WHERE account_id IS NOT NULL) w
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

-- Claims the image of a model that is due next, if a route is free for it. wanted: this image and no other, or NULL.
-- An image whose upstream goes on with a job is bound to the route of that job, and waits while it takes no calls.
CREATE FUNCTION claim_image(lane text, wanted text, owner text, lease_seconds double precision, candidates jsonb)
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

  FOR turn IN 1..16 LOOP
    picked := coalesce(wanted, next_image(lane));
    IF picked IS NULL THEN
      RETURN;
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

-- Gives a claimed image to another route, after a failure on the one that it had. NULL: none is free, or the claim was lost.
CREATE FUNCTION change_route(moved text, expected_fence int, candidates jsonb)
RETURNS TABLE (route text, is_probe boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  chosen text := free_route(candidates);
BEGIN
  IF chosen IS NULL THEN
    RETURN;
  END IF;
  UPDATE images i SET route = chosen WHERE i.id = moved AND i.fence = expected_fence AND i.status = 'generating';
  IF FOUND THEN
    RETURN QUERY SELECT chosen, use_route(chosen, candidates, moved);
  END IF;
END $$;

-- What a call says of its route, in the breaker's words:
--   up      the upstream answered: the route is used again, at first with one call at a time
--   down    it failed: after `tolerated` failures in a row, or at the first of a trial, it is left alone for a while
--   slow    it asked for a pause of `seconds`
--   parked  nothing is to be had with this key for `seconds`
-- The pause after failures doubles with each opening, from first_seconds to most_seconds, with jitter.
-- took_seconds: how long the call took. One that began before the route was closed or opened tells of the time before.
CREATE FUNCTION report_route(told text, by_image text, verdict text, why text, seconds double precision,
                             took_seconds double precision, tolerated int, first_seconds double precision,
                             most_seconds double precision)
RETURNS TABLE (state_before text, state text, open_until timestamptz, failures int)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  s route_states;
  is_probe boolean;
  pause interval;
BEGIN
  INSERT INTO route_states (route) VALUES (told) ON CONFLICT DO NOTHING;
  SELECT * INTO s FROM route_states r WHERE r.route = told FOR UPDATE;
  state_before := s.state;
  is_probe := s.state <> 'closed' AND coalesce(s.probe_image = by_image, false);
  IF NOT is_probe AND verdict <> 'slow' AND s.changed_at > now() - make_interval(secs => took_seconds) THEN
    state := s.state;
    open_until := s.open_until;
    failures := s.failures;
    RETURN NEXT;
    RETURN;
  END IF;
  pause := make_interval(secs => least(most_seconds, first_seconds * power(2, least(30, s.opens))) * (0.5 + random() / 2));
  IF is_probe THEN
    s.probe_image := NULL;
  END IF;
  CASE verdict
    WHEN 'up' THEN
      s.failures := 0;
      IF s.state = 'closed' THEN
        s.ramp := least(1000000, s.ramp + 1);
      ELSE
        s.state := 'closed';
        s.ramp := 1;
        s.open_until := NULL;
        s.probe_image := NULL;
        s.reason := NULL;
      END IF;
      s.opens := 0;
    WHEN 'down' THEN
      s.failures := s.failures + 1;
      IF (s.state = 'closed' AND s.failures >= tolerated) OR is_probe THEN
        s.state := CASE WHEN s.state = 'parked' THEN 'parked' ELSE 'open' END;
        s.open_until := now() + pause;
        s.opens := s.opens + 1;
        s.reason := why;
      END IF;
    WHEN 'slow' THEN
      s.paused_until := greatest(s.paused_until, now() + make_interval(secs => seconds));
      IF s.state = 'closed' THEN
        s.ramp := greatest(1, (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.route = told) / 2);
      END IF;
    WHEN 'parked' THEN
      -- What was under way when it was parked tells nothing new.
      IF s.state <> 'parked' OR is_probe THEN
        s.opens := s.opens + 1;
      END IF;
      s.state := 'parked';
      s.open_until := greatest(s.open_until, now() + make_interval(secs => seconds));
      s.failures := s.failures + 1;
      s.reason := why;
  END CASE;
  UPDATE route_states r
    SET state = s.state, failures = s.failures, opens = s.opens, open_until = s.open_until,
        paused_until = s.paused_until, ramp = s.ramp, probe_image = s.probe_image, reason = s.reason,
        changed_at = CASE WHEN s.state = state_before THEN s.changed_at ELSE now() END
    WHERE r.route = told;
  state := s.state;
  open_until := s.open_until;
  failures := s.failures;
  RETURN NEXT;
END $$;

-- What failed on a route and waits for its next try is due now that the route is back: `most` images a call. Answers how
-- many.
CREATE FUNCTION wake_route(woken text, most int) RETURNS int
LANGUAGE sql AS $$
  WITH asleep AS (
    SELECT id FROM images WHERE status = 'queued' AND route = woken AND due_at > now() LIMIT most FOR UPDATE SKIP LOCKED),
  awake AS (
    UPDATE images i SET due_at = now(), announce_at = now() FROM asleep a WHERE i.id = a.id RETURNING i.id)
  SELECT count(*)::int FROM awake
$$;

-- Puts a route back into use by hand, whatever its breaker says. False: no process has used a route of this name.
CREATE FUNCTION resume_route(resumed text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE route_states SET state = 'closed', failures = 0, opens = 0, open_until = NULL, paused_until = NULL, ramp = 1,
      next_call_at = NULL, probe_image = NULL, reason = NULL, changed_at = now()
    WHERE route = resumed;
  RETURN FOUND;
END $$;

-- Removal ----------------------------------------------------------------------------------------------------------

-- Has the reference pictures that were kept for a request removed, when none of its images is to be made any more.
CREATE FUNCTION release_references(done_request uuid) RETURNS void
LANGUAGE sql AS $$
  UPDATE garbage_objects SET delete_after = now()
  WHERE object_key IN (SELECT 'images/references/' || done_request || '/' || n FROM generate_series(0, 4) AS n)
    AND delete_after > now()
    AND NOT EXISTS (SELECT FROM images i WHERE i.request_id = done_request AND i.status IN ('queued', 'generating'))
$$;

-- As in the first migration, and what was kept for the request goes with its last image.
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
  PERFORM pg_notify('wombat_image', image_id);
  RETURN true;
END $$;

-- Erases an image for good: one that is still to be made is called off and refunded, the bytes of one that is ready are
-- removed, and when no other image of its request is left, so are the prompt and all that came with it. The rows stay for
-- the ledger. Answers what was done: refunded, removed, forgotten (it had failed or was removed before), or NULL: unknown.
CREATE FUNCTION erase_image(erased text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  was record;
  done text;
BEGIN
  SELECT i.account_id, i.request_id INTO was FROM images i WHERE i.id = erased;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  -- Locks are taken in one order everywhere: account, request, image.
  PERFORM FROM accounts a WHERE a.id = was.account_id FOR UPDATE;
  PERFORM FROM requests r WHERE r.id = was.request_id FOR UPDATE;
  SELECT i.status, i.fence, i.object_key, i.request_id INTO was FROM images i WHERE i.id = erased FOR UPDATE;
  CASE was.status
    WHEN 'queued', 'generating' THEN
      PERFORM fail_image(erased, CASE was.status WHEN 'generating' THEN was.fence END, 'image_erased',
                         'The image was erased before it was made.');
      done := 'refunded';
    WHEN 'ready' THEN
      UPDATE images i SET status = 'removed', object_key = NULL, sha256 = NULL, size_bytes = NULL, content_type = NULL,
          failure_code = 'image_erased', failure_message = 'The image was erased.'
        WHERE i.id = erased;
      INSERT INTO garbage_objects (object_key, delete_after) VALUES (was.object_key, now())
        ON CONFLICT (object_key) DO UPDATE SET delete_after = excluded.delete_after;
      PERFORM pg_notify('wombat_image', erased);
      done := 'removed';
    ELSE
      UPDATE images i SET failure_code = 'image_erased', failure_message = 'The image was erased.'
        WHERE i.id = erased AND i.status = 'removed';
      done := 'forgotten';
  END CASE;
  PERFORM release_references(was.request_id);
  -- The names of an upstream's jobs may be links to the picture.
  UPDATE attempts a SET job_id = NULL, upstream_id = CASE WHEN a.upstream_id LIKE 'http%' THEN NULL ELSE a.upstream_id END
    WHERE a.image_id = erased;
  UPDATE requests r SET prompt = '', final_prompt = '', alt = '', reference_images = '{}'
    WHERE r.id = was.request_id AND NOT EXISTS (
      SELECT FROM images i WHERE i.request_id = r.id AND i.status IN ('queued', 'generating', 'ready'));
  RETURN done;
END $$;
