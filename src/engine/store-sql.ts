/** The hub's tables and statements, the same on node:sqlite and on a SQLite Durable Object. */

export const SCHEMA_VERSION = 1;

export const SCHEMA: readonly string[] = [
  "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS groups (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS marks (vantage TEXT PRIMARY KEY, boot_id TEXT NOT NULL, seq INTEGER NOT NULL, superseded TEXT NOT NULL, last TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS receipts (vantage TEXT NOT NULL, webhook_id TEXT NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (vantage, webhook_id)) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS receipts_at ON receipts (at)",
  "CREATE TABLE IF NOT EXISTS observations (n INTEGER PRIMARY KEY, vantage TEXT NOT NULL, at REAL NOT NULL, body TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, grp TEXT NOT NULL, body TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, subscriber TEXT NOT NULL, state TEXT NOT NULL, event_seq INTEGER NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS outbox_open ON outbox (subscriber, state, event_seq)",
  "CREATE TABLE IF NOT EXISTS subscribers (name TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS asks (key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS heals (id TEXT PRIMARY KEY, at REAL NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS incidents (id TEXT PRIMARY KEY, at REAL NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
];

export const SQL = {
  metaGet: "SELECT value FROM meta WHERE key = ?",
  metaSet: "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  groupsAll: "SELECT name, state FROM groups",
  groupSet: "INSERT INTO groups (name, state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
  markGet: "SELECT boot_id, seq, superseded, last FROM marks WHERE vantage = ?",
  markSet:
    "INSERT INTO marks (vantage, boot_id, seq, superseded, last) VALUES (?, ?, ?, ?, ?) ON CONFLICT (vantage) DO UPDATE SET boot_id = excluded.boot_id, seq = excluded.seq, superseded = excluded.superseded, last = excluded.last",
  receiptGet: "SELECT digest FROM receipts WHERE vantage = ? AND webhook_id = ?",
  receiptSet:
    "INSERT INTO receipts (vantage, webhook_id, digest, at) VALUES (?, ?, ?, ?) ON CONFLICT (vantage, webhook_id) DO UPDATE SET digest = excluded.digest, at = excluded.at",
  receiptsForget: "DELETE FROM receipts WHERE at < ?",
  observationAdd: "INSERT INTO observations (vantage, at, body) VALUES (?, ?, ?)",
  observationsForget:
    "DELETE FROM observations WHERE at < ? OR n <= (SELECT coalesce(max(n), 0) - ? FROM observations)",
  eventLast: "SELECT coalesce(max(seq), 0) AS seq FROM events",
  eventAdd: "INSERT INTO events (seq, grp, body) VALUES (?, ?, ?)",
  eventGet: "SELECT body FROM events WHERE seq = ?",
  eventsAfter: "SELECT body FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
  eventsLatest: "SELECT body FROM (SELECT seq, body FROM events ORDER BY seq DESC LIMIT ?) ORDER BY seq",
  eventsForget:
    "DELETE FROM events WHERE seq <= (SELECT coalesce(max(seq), 0) - ? FROM events) AND seq NOT IN (SELECT event_seq FROM outbox)",
  outboxSet:
    "INSERT INTO outbox (id, subscriber, state, event_seq, row) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state, row = excluded.row",
  outboxGet: "SELECT row FROM outbox WHERE id = ?",
  outboxOpen:
    "SELECT row FROM outbox WHERE subscriber = ? AND state IN ('queued', 'accepted', 'unconfirmed') ORDER BY event_seq LIMIT ?",
  outboxLatest:
    "SELECT row FROM (SELECT event_seq, row FROM outbox WHERE subscriber = ? ORDER BY event_seq DESC LIMIT ?) ORDER BY event_seq",
  outboxList: "SELECT row FROM outbox ORDER BY event_seq DESC, id LIMIT ?",
  outboxDead: "SELECT row FROM outbox WHERE state = 'dead' ORDER BY event_seq DESC, id LIMIT ?",
  outboxCounts: "SELECT subscriber, state, count(*) AS n FROM outbox GROUP BY subscriber, state",
  outboxForgetDone:
    "DELETE FROM outbox WHERE state NOT IN ('queued', 'dead') AND id NOT IN (SELECT id FROM outbox WHERE state NOT IN ('queued', 'dead') ORDER BY event_seq DESC LIMIT ?)",
  outboxForgetDead:
    "DELETE FROM outbox WHERE state = 'dead' AND id NOT IN (SELECT id FROM outbox WHERE state = 'dead' ORDER BY event_seq DESC LIMIT ?)",
  outboxQueued: "SELECT row FROM outbox WHERE subscriber = ? AND state = 'queued' ORDER BY event_seq LIMIT 1",
  outboxQueuedCount: "SELECT count(*) AS n FROM outbox WHERE subscriber = ? AND state = 'queued'",
  subscribersAll: "SELECT row FROM subscribers",
  subscriberSet:
    "INSERT INTO subscribers (name, row) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET row = excluded.row",
  askGet: "SELECT digest, answer FROM asks WHERE key = ?",
  askSet: "INSERT INTO asks (key, digest, answer, at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
  asksForget: "DELETE FROM asks WHERE at < ? OR key NOT IN (SELECT key FROM asks ORDER BY at DESC LIMIT ?)",
  healGet: "SELECT row FROM heals WHERE id = ?",
  healSet: "INSERT INTO heals (id, at, row) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row",
  healsForget: "DELETE FROM heals WHERE id NOT IN (SELECT id FROM heals ORDER BY at DESC LIMIT ?)",
  incidentGet: "SELECT row FROM incidents WHERE id = ?",
  incidentSet: "INSERT INTO incidents (id, at, row) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row",
  incidentsForget: "DELETE FROM incidents WHERE id NOT IN (SELECT id FROM incidents ORDER BY at DESC LIMIT ?)",
} as const;
