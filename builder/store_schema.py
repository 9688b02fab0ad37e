"""The tables of the store, version by version: a new database takes every step, an old one those it lacks.

A step is never edited once it was released: what the tables should be now is another step.
"""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE builds (
  id INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT, command TEXT NOT NULL, versions TEXT NOT NULL,
  digest TEXT, state TEXT, changes TEXT, seconds TEXT);
CREATE TABLE files (key TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE fingerprints (key TEXT PRIMARY KEY, stat TEXT NOT NULL, fingerprint TEXT NOT NULL);
CREATE TABLE summaries (key TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE results (
  id TEXT PRIMARY KEY, build_id INTEGER NOT NULL REFERENCES builds(id), block TEXT NOT NULL, test TEXT NOT NULL,
  detector TEXT NOT NULL, procedure TEXT NOT NULL, version TEXT NOT NULL, status TEXT NOT NULL,
  measured_at TEXT NOT NULL, seconds REAL NOT NULL, detail TEXT NOT NULL);
CREATE TABLE measurements (
  result_id TEXT NOT NULL REFERENCES results(id), quantity TEXT NOT NULL, channel TEXT NOT NULL,
  setting TEXT NOT NULL, value REAL, uncertainty REAL, unit TEXT NOT NULL, estimator TEXT NOT NULL,
  n INTEGER NOT NULL, flags TEXT NOT NULL, reason TEXT, note TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (result_id, quantity, channel, setting));
CREATE TABLE shown (
  block TEXT NOT NULL, test TEXT NOT NULL, procedure TEXT NOT NULL, detector TEXT NOT NULL,
  result_id TEXT, since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX shown_place ON shown (block, test, procedure, detector, since);
CREATE TABLE verdicts (
  measurement_id TEXT NOT NULL, verdict TEXT NOT NULL, limit_id TEXT, low REAL, high REAL, why TEXT NOT NULL,
  since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX verdicts_of ON verdicts (measurement_id, since);
CREATE TABLE pages (
  path TEXT NOT NULL, digest TEXT NOT NULL, parts TEXT NOT NULL, since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX pages_path ON pages (path, since);
"""

_CHEAP_REBUILDS = """
CREATE TABLE drawn (
  path TEXT PRIMARY KEY, key TEXT NOT NULL, digest TEXT NOT NULL, search TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE judged (result_id TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE complete (id INTEGER PRIMARY KEY CHECK (id = 1), inputs TEXT NOT NULL, summary TEXT NOT NULL);
"""
"""Pages as they were drawn last, what was judged last, and what the last complete build was made of: caches all."""

_CAVEATS = """
CREATE TABLE caveats (id TEXT NOT NULL, said TEXT NOT NULL, since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX caveats_of ON caveats (id, since);
"""
"""What each caveat of the campaign said (JSON; empty where it was gone), from the build on that first saw it so."""

_LIMITS = """
CREATE TABLE limits (
  id TEXT NOT NULL, stated TEXT NOT NULL, since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX limits_of ON limits (id, since);
"""
"""Limits as they stood when they judged: all entries of an id as JSON, from this build on; an empty list for none."""

STEPS = (_FIRST, _CHEAP_REBUILDS, _CAVEATS, _LIMITS)
"""The step at index n leads from schema n to schema n + 1."""

SCHEMA_VERSION = len(STEPS)

SETTLED = ("results", "measurements", "shown", "verdicts", "limits")
"""The tables that are history and complete before pages are drawn."""

ENDING = ("builds", "pages", "caveats")
"""Those of history that a build's end adds to."""

KEPT = (*SETTLED, *ENDING)
"""The tables that are history; all others are caches, and not part of the copy that the site offers."""


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a database of an earlier version (0 for an empty one) to the current one, step by step.

    Each step is whole or not at all. Raises sqlite3.DatabaseError.
    """
    for number in range(version, SCHEMA_VERSION):
        db.executescript(f"BEGIN IMMEDIATE; {STEPS[number]} PRAGMA user_version={number + 1}; COMMIT;")
