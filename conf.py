"""Sphinx's configuration: prose only. Data pages are spliced into the theme's chrome by builder.render.shell.

``builder.render.prose`` runs this with the source folder it stages, and sets the title.
"""

project = "calbook"
author = ""
copyright = ""
root_doc = "contents"
extensions = ["myst_parser", "builder.render.sphinx_pages"]
exclude_patterns = ["job.json"]
templates_path = ["site_src/_templates"]
nitpicky = False
today = " "
suppress_warnings = ["toc.not_included"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath", "fieldlist", "tasklist"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_context = {"default_mode": "auto"}
html_static_path = ["site_src/_static"]
html_css_files = ["calbook.css", "tables.css", "chrome.css"]
html_js_files = [
    (name, {"defer": "defer"})
    for name in (
        "chrome.js",
        "tables.js",
        "viewer.js",
        "plots.js",
        "version-links.js",
        "certify.js",
        "review.js",
    )
]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_permalinks_icon = "#"
html_sidebars = {"**": ["navigator.html"]}
html_theme_options = {
    "navbar_start": ["brand.html"],
    "navbar_center": ["site-links.html"],
    "navbar_persistent": ["site-search.html"],
    "navbar_end": ["theme-switcher.html"],
    "article_header_start": ["crumbs.html"],
    "secondary_sidebar_items": ["page-contents.html"],
    "primary_sidebar_end": [],
    "footer_start": ["foot.html"],
    "footer_end": [],
    "disable_search": True,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
