-- The first answers to writes that are no messages, for those who send the same write again; and
-- what becomes of the secrets of webhooks.

-- Beside the content that it answered, and forgotten with it.
ALTER TABLE dedupe ADD COLUMN answer bytea;
COMMENT ON COLUMN dedupe.answer IS
    'what a write under an Idempotency-Key was answered, as MessagePack; a secret in it is sealed '
    'with the credential and key that were sent, which are not kept';

COMMENT ON COLUMN webhook.secret IS
    'whsec_ and the secret, or encrypted with payloads.keys where those are set';
COMMENT ON COLUMN webhook.former_secret IS
    'signs beside the new one until secret_until; kept as secret is';
