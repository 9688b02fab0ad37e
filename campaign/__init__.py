"""The record: what was planned, acquired and noted. Knows files and tables; no pixels' meaning, no pages."""
