"""Write the reference pages of the rules, `docs/rules/`: what `fastwright explain` says of each."""

from __future__ import annotations

from pathlib import Path

from fastwright.report.explain import markdown_listing, page
from fastwright.review.catalogue import by_family, known_rules

FOLDER = Path(__file__).parent / "rules"
_HEAD = """\
# Rules

Made from the rule files by `python docs/reference.py`; `fastwright explain RULE` prints the same pages.
Profiles: `recommended` (what is on by default), `strict` (also what is off because it is a matter of
taste), `all`, `security`, `performance`, `architecture`, and each family by its name. How precise each
rule was on real applications is in `benchmarks/RESULTS.md`.

"""


def pages() -> dict[str, str]:
    """Return the pages by file name."""
    found = {f"{name}.md": page(rule) for name, rule in known_rules().items()}
    listing = markdown_listing(by_family())
    for name in known_rules():
        listing = listing.replace(f"| `{name}` |", f"| [`{name}`]({name}.md) |")
    return {"README.md": _HEAD + listing} | found


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in written:
            old.unlink()
    for file, text in written.items():
        (FOLDER / file).write_text(text, encoding="utf-8")
