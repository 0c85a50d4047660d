"""Write the README's fat endpoint, before and after `restructure --to clean`: what the tool makes of examples/kiosk."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from fastwright.review.run import Options
from fastwright.steps.restructure import restructure
from fastwright.steps.tree import Tree

ROOT = Path(__file__).parents[1]
ENDPOINT = "create_order"
BEGIN, END = "<!-- fat endpoint: docs/fat_endpoint.py -->\n", "<!-- end -->\n"
FILES = (
    ("kiosk/routers/orders.py", "the endpoint keeps HTTP"),
    ("kiosk/services/orders.py", "the service decides, and knows no HTTP"),
    ("kiosk/ports/coupons.py", "what it asks of one of its repositories, which `Depends` gives"),
)


def section() -> str:
    """Return the part of the README between the two marks."""
    before = Tree.open(ROOT / "examples" / "kiosk", Options(cache=False))
    after = last(restructure(before, "clean", contract_changes=False))
    text = f"{BEGIN}<details><summary>Before, in <code>kiosk/main.py</code></summary>\n\n"
    text += f"```python\n{function(before, 'kiosk/main.py')}```\n\n</details>\n\nAfter, "
    text += "`fastwright restructure examples/kiosk --to clean`:\n\n"
    for path, what in FILES:
        code = function(after, path) if "ports" not in path else after.text(path).decode()
        text += f"`{path}`, {what}:\n\n```python\n{code}```\n\n"
    return f"{text}{END}"


def last(steps: Generator[object, None, Tree]) -> Tree:
    """Make all steps and return the tree after the last one."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: Tree = stop.value
            return found


def function(tree: Tree, path: str) -> str:
    """Return the source of the endpoint, or of what it became, with its decorator."""
    module = tree.app.modules[path]
    node = next(node for node in module.functions if node.name == ENDPOINT)
    start = node.decorators[0].start - 1 if node.decorators else node.start
    return module.source[start : node.end].decode().rstrip() + "\n"


def main() -> None:
    """Bring the README up to date."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(before + section() + rest.partition(END)[2])


if __name__ == "__main__":
    main()
