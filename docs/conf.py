"""The documentation site. Nothing is fetched while it is built, nor by its pages."""

import itertools
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from textwrap import indent

from docutils import nodes

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import skrepr  # noqa: E402, the one next to these pages

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]

project = "skrepr"
author = "The skrepr developers"
copyright = f"{author}, BSD 3-Clause License"
version = release = skrepr.__version__

extensions = [
    "matplotlib.sphinxext.figmpl_directive",
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
mathjax3_config = {
    "loader": {"load": ["[tex]/textmacros"]},  # names with an underscore
    "tex": {"packages": {"[+]": ["textmacros"]}},
}
copybutton_exclude = ".linenos, .gp, .go"

# ---------------------------------------------------------------- API

autosummary_generate = True
toc_object_entries_show_parents = "hide"  # long names would be cut off
autodoc_typehints = "none"  # numpydoc's sections say it in words
numpydoc_show_class_members = False  # the template shows them, each with its text
templates_path = ["_templates"]

# ---------------------------------------------------------------- pictures

plot_formats = [("png", 100)]
plot_srcset = ["2x"]
plot_html_show_formats = False
plot_html_show_source_link = False


def picture_elsewhere(gallery_conf, script_vars):
    """Keep the pictures next to the examples, which the README shows, as they are."""
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
    "download_all_examples": False,
    "abort_on_example_error": True,
    "min_reported_time": 0,
    "write_computation_times": False,  # its page would fetch scripts
}
suppress_warnings = ["config.cache"]  # a function stands in sphinx_gallery_conf

# ---------------------------------------------------------------- references

nitpicky = True
# Pages of other projects by their rules, since an inventory of theirs would need the network.
PAGES = {
    "joblib": "https://joblib.readthedocs.io/en/stable/",
    "matplotlib": "https://matplotlib.org/stable/api/_as_gen/{}.html",
    "numpy": "https://numpy.org/doc/stable/reference/generated/{}.html",
    "pandas": "https://pandas.pydata.org/docs/reference/api/{}.html",
    "pickle": "https://docs.python.org/3/library/pickle.html",
    "sklearn": "https://scikit-learn.org/stable/modules/generated/{}.html",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/generated/{}.html",
    "torch.optim": "https://docs.pytorch.org/docs/stable/optim.html",
    # what scikit-learn's own docstrings refer to, in methods that are inherited
    "df_output_transform": "https://scikit-learn.org/stable/modules/df_output_transform.html",
    "metadata_routing": "https://scikit-learn.org/stable/metadata_routing.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "https://scikit-learn.org/stable/auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def refer_to_another_project(app, env, node, contnode):
    """Link to a page of another project."""
    target = node["reftarget"]
    page = PAGES.get(target) or PAGES.get(target.partition(".")[0])
    if page is not None:
        return nodes.reference("", "", contnode, internal=False, refuri=page.format(target))


def escape_shapes(app, what, name, obj, options, lines):
    """Make ``(n, *shape_)`` in the line of a type plain text, where rst reads markup."""
    text = re.sub(r"^( *\w[\w, ]* : .*) \\\n +", r"\1 ", "\n".join(lines), flags=re.MULTILINE)
    lines[:] = [
        re.sub(r"\*|_(?=[,)]|$)", r"\\\g<0>", line)
        if re.match(r" *\w[\w, ]* : .* of shape ", line)
        else line
        for line in text.split("\n")
    ]


def skip_what_is_of_torch(app, what, name, obj, skip, options):
    """Leave out of the page of a torch module what every one has."""
    return (getattr(obj, "__module__", None) or "").startswith("torch.") or None


def plots_in_rst(app, docname, source):
    """Hand ``{plot}`` fences to rst, since the directive does without MyST's parser.

    Each gets a name: the directive counts the plots of a document, which is a new one here.
    """
    number = itertools.count(1)

    def as_rst(found):
        name = f"{docname.replace('/', '-')}-{next(number)}"
        body = found[1] if found[1].startswith(":") else f"\n{found[1]}"
        text = indent(f":filename-prefix: {name}\n{body}", "   ")
        return f"```{{eval-rst}}\n.. plot::\n{text}```"

    source[0] = re.sub(
        r"^```\{plot\}\n(.*?)^```$", as_rst, source[0], flags=re.DOTALL | re.MULTILINE
    )


def setup(app):
    app.connect("autodoc-process-docstring", escape_shapes, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", skip_what_is_of_torch)
    app.connect("source-read", plots_in_rst)
    app.connect("missing-reference", refer_to_another_project)


# ---------------------------------------------------------------- looks

html_theme = "pydata_sphinx_theme"
html_title = "skrepr"
html_favicon = "_static/skrepr.svg"
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
