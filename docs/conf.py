"""The documentation site. Nothing is fetched while it is built, nor by its pages."""

import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import skrepr  # noqa: E402, the one beside these pages

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]

project = "skrepr"
author = "The skrepr developers"
copyright = f"{author}, BSD 3-Clause License"
version = release = skrepr.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax itself, as files of the site
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/**/*.ipynb"]
default_role = "literal"

# ---------------------------------------------------------------- prose

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

# ---------------------------------------------------------------- API

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say it in words
numpydoc_show_class_members = False  # the template shows them, each with its text
templates_path = ["_templates"]

# ---------------------------------------------------------------- pictures

plot_formats = [("png", 100)]
plot_srcset = ["2x"]
plot_html_show_formats = False
plot_html_show_source_link = False


def picture_elsewhere(gallery_conf, script_vars):
    """Keep the pictures beside the examples, which the README shows, as they are."""
    return [str(Path(tempfile.gettempdir()) / f"{Path(script_vars['src_file']).stem}.png")]


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/(plot_\w+|quickstart)\.py",
    "within_subsection_order": "FileNameSortKey",
    "reset_argv": picture_elsewhere,
    "image_srcset": ["2x"],
    "doc_module": ("skrepr",),
    "backreferences_dir": "api/generated/backreferences",
    "reference_url": {"skrepr": None},
    "download_all_examples": False,
    "abort_on_example_error": True,
    "min_reported_time": 0,
}
suppress_warnings = ["config.cache"]  # a function stands in sphinx_gallery_conf

# ---------------------------------------------------------------- references

nitpicky = True

# ---------------------------------------------------------------- looks

html_theme = "pydata_sphinx_theme"
html_title = "skrepr"
html_static_path = ["_static"]
html_css_files = ["skrepr.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "icon_links": [
        {"name": "Repository", "url": URLS["Repository"], "icon": "fa-brands fa-github"}
    ],
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"index": [], "getting_started": [], "comparison": [], "citing": []}
