"""How we measure: procedures over frames. Knows numpy and statistics; no pages, no database, no paths."""
