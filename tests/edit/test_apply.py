"""Fixes applied to sources: all of a fix or none, and what is not touched byte for byte the same."""

from __future__ import annotations

import pytest

from fastwright.edit.apply import apply
from fastwright.edit.fix import Edit, Fix, Import


def fix(*edits: tuple[int, int, str], imports: tuple[Import, ...] = ()) -> Fix:
    return Fix("safe", tuple(Edit("a.py", *edit) for edit in edits), imports)


def after(source: str, *fixes: Fix) -> str:
    sources = {"a.py": source.encode()}
    return apply(sources, fixes).changed.get("a.py", sources["a.py"]).decode()


def test_edits_are_made_where_they_stand() -> None:
    assert after("one two three\r\n", fix((4, 7, "2"), (0, 3, "1"))) == "1 2 three\r\n"


def test_a_fix_that_overlaps_an_earlier_one_is_left_whole() -> None:
    first, second = fix((0, 7, "1-2")), fix((4, 7, "2"), (8, 13, "3"))
    applied = apply({"a.py": b"one two three"}, [first, second])
    assert applied.changed == {"a.py": b"1-2 three"}
    assert (applied.made, applied.left) == ((first,), (second,))


def test_the_same_edit_of_two_fixes_is_made_once() -> None:
    shared = (0, 0, "Alias = int\n")
    assert after("x = 1\ny = 2\n", fix(shared, (4, 5, "3")), fix(shared, (10, 11, "4"))) == (
        "Alias = int\nx = 3\ny = 4\n"
    )


def test_insertions_at_one_place_keep_their_order() -> None:
    assert after("()", fix((1, 1, "b")), fix((1, 1, "a"))) == "(ba)"


def test_nothing_changed_is_nothing_returned() -> None:
    assert apply({"a.py": b"x"}, [fix((0, 1, "x"))]).changed == {}


IMPORTS = {
    "merged in order": (
        "from typing import Any, TypeVar\nx: Any | TypeVar\n",
        ("typing", "Optional"),
        "from typing import Any, Optional, TypeVar\nx: Any | TypeVar\n",
    ),
    "merged in lines": (
        "from typing import (\n    Any,\n    Union,\n)\nx: Any | Union\n",
        ("typing", "Optional"),
        "from typing import (\n    Any,\n    Optional,\n    Union,\n)\nx: Any | Union\n",
    ),
    "merged in order, whatever is written large": (
        "from shop.models import Item, ItemsPublic\nx: Item | ItemsPublic\n",
        ("shop.models", "ItemUpdate"),
        "from shop.models import Item, ItemsPublic, ItemUpdate\nx: Item | ItemsPublic\n",
    ),
    "last of the lines": (
        "from typing import (\n    Any,\n    List,\n)\nx: Any | List\n",
        ("typing", "Optional"),
        "from typing import (\n    Any,\n    List,\n    Optional,\n)\nx: Any | List\n",
    ),
    "there already": (
        "from typing import Optional\nx: Optional\n",
        None,
        "from typing import Optional\nx: Optional\n",
    ),
    "into its section": (
        "import os\nfrom typing import Any\n\nfrom fastapi import FastAPI\n\nx: Any = os, FastAPI\n",
        ("secrets", None),
        "import os\nimport secrets\nfrom typing import Any\n\nfrom fastapi import FastAPI\n\nx: Any = os, FastAPI\n",
    ),
    "a section of its own": (
        "from fastapi import FastAPI\n\nx = FastAPI\n",
        ("typing", "Annotated"),
        "from typing import Annotated\n\nfrom fastapi import FastAPI\n\nx = FastAPI\n",
    ),
    "a section between": (
        "import os\n\nfrom shop.db import get\n\nx = os, get\n",
        ("fastapi", "Depends"),
        "import os\n\nfrom fastapi import Depends\n\nfrom shop.db import get\n\nx = os, get\n",
    ),
    "behind the others": (
        "import os\n\nx = os\n",
        ("shop.db", "get"),
        "import os\n\nfrom shop.db import get\n\nx = os\n",
    ),
    "behind the docstring": (
        '"""A module."""\n\nx = 1\n',
        ("typing", "Annotated"),
        '"""A module."""\n\nfrom typing import Annotated\n\nx = 1\n',
    ),
    "first of all": (
        "x = 1\n",
        ("typing", "Annotated"),
        "from typing import Annotated\n\nx = 1\n",
    ),
    "behind the future": (
        "from __future__ import annotations\n\nx = 1\n",
        ("typing", "Annotated"),
        "from __future__ import annotations\n\nfrom typing import Annotated\n\nx = 1\n",
    ),
    "with the line ends of the file": (
        "import os\r\n\r\nx = os\r\n",
        ("sys", None),
        "import os\r\nimport sys\r\n\r\nx = os\r\n",
    ),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_imports_are_added_where_such_imports_stand(name: str) -> None:
    source, wanted, expected = IMPORTS[name]
    needed = (Import("a.py", *wanted),) if wanted else ()
    assert (
        apply({"a.py": source.encode()}, [fix(imports=needed)], own={"shop"})
        .changed.get("a.py", source.encode())
        .decode()
        == expected
    )


def test_what_nothing_uses_any_more_is_not_imported() -> None:
    source = "import os\nfrom typing import Any, Optional\n\nx: Optional = os\ny: Any\n"
    start = source.index("Optional = os")
    edited = after(source, fix((start, start + len("Optional = os"), "int")))
    assert edited == "from typing import Any\n\nx: int\ny: Any\n"


def test_a_sentence_uses_no_import_and_an_annotation_in_a_string_does() -> None:
    source = "from a import Item, User\n\nx: 'list[User] | None' = Item, User\ny = 'Item not found, User'\n"
    start = source.index("Item, User\ny")
    edited = after(source, fix((start, start + len("Item, User"), "1")))
    assert edited == (
        "from a import User\n\nx: 'list[User] | None' = 1\ny = 'Item not found, User'\n"
    )


def test_several_names_of_one_import_go_at_once() -> None:
    source = "from a import b, c, d, e, f\n\nx = b, c, d, e, f\n"
    start = source.index("b, c, d, e, f\n", 20)
    edited = after(source, fix((start, len(source) - 1, "c, d")))
    assert edited == "from a import c, d\n\nx = c, d\n"
    edited = after(source, fix((start, len(source) - 1, "b, e")))
    assert edited == "from a import b, e\n\nx = b, e\n"


def test_what_nothing_used_before_stays() -> None:
    source = "import os\nimport plugin\n\nx = os\n"
    assert after(source, fix((len(source) - 3, len(source) - 1, "1"))) == "import plugin\n\nx = 1\n"


def test_what_a_package_offers_stays() -> None:
    source = b"from shop.db import get\n\nx = get\n"
    change = Fix("safe", (Edit("shop/__init__.py", len(source) - 4, len(source) - 1, "1"),))
    applied = apply({"shop/__init__.py": source}, [change])
    assert applied.changed == {"shop/__init__.py": b"from shop.db import get\n\nx = 1\n"}
