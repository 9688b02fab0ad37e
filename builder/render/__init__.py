"""Pages: what was measured, drawn with the templates of ``site_src``."""
