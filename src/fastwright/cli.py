"""The command line: parses, calls, prints. What a command does not need, it does not import."""
# ruff: noqa: PLC0415 - imports in functions are what makes every command start quickly

from __future__ import annotations

import sys

from fastwright.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fastwright.project.errors import FastwrightError
    from fastwright.report.report import Report
    from fastwright.review.result import RuleFailure
    from fastwright.review.run import Options
    from fastwright.steps.run import Writing
    from fastwright.steps.step import Done, Left
    from fastwright.steps.tree import Steps, Tree

_RECURSION = 20_000
"""Nested code is read by nested calls; a Python frame is cheap today."""

CLEAN, FOUND, MISUSE, INTERNAL, INTERRUPTED, CUT_OFF = 0, 1, 2, 3, 130, 141

_FORMATS = ("text", "json", "sarif", "github", "markdown")

_ABOUT = """\
The FastAPI expert as a tool: reads a whole application, says what is wrong and proves why.
It never imports or runs the code that it reads."""

_EXAMPLES = """\
examples:
  fastwright review                          review the application in this folder
  fastwright review src/shop --select data   one family of rules
  fastwright review --base origin/main       only what this branch brought in
  fastwright review --baseline known.json --write-baseline
                                             adopt on an old code base: then only new ones fail
  fastwright review --format sarif --output review.sarif
  fastwright map --route "POST /orders"      everything that one request touches
  fastwright explain n-plus-one-query        why, with code before and after

exit codes:
  0  clean (or nothing as bad as --fail-on)
  1  problems found
  2  misuse: a wrong option, path, name or configuration
  3  internal error: a bug of fastwright, with what to report"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given == ["--version"]:
        print(f"fastwright {VERSION}")
        return CLEAN
    try:
        arguments = _parser().parse_args(given)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else MISUSE
    return _guarded(arguments.run, arguments)


def run() -> None:
    """Run the command line as a program: exit at once, without taking a million objects apart."""
    import os

    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads on
        code = code or CUT_OFF
    os._exit(code)


def _guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a command; turn whatever it raises into a message and an exit code."""
    import gc

    gc.disable()  # a run is short, and facts hold no cycles: collecting costs a third of the time
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION))
    try:
        return run(arguments)
    except KeyboardInterrupt:
        _complain("fastwright: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
    except Exception as error:  # noqa: BLE001 - the last resort
        from fastwright.project.errors import FastwrightError

        return _misuse(error) if isinstance(error, FastwrightError) else _internal(error)


# --------------------------------------------------------------------- commands


def _review(arguments: argparse.Namespace) -> int:
    import os

    from fastwright.report.output import prefix, start_of
    from fastwright.report.report import Report
    from fastwright.review.catalogue import known_rules
    from fastwright.review.result import is_failure
    from fastwright.review.run import review

    outcome = review(_options(arguments))
    start = start_of(arguments.format, os.environ)
    report = Report(
        review=outcome.review,
        sources=outcome.sources,
        rules=known_rules(),
        prefix=prefix(outcome.review.root, start),
        quiet=arguments.quiet,
        statistics=arguments.statistics or arguments.profile,
        mended=outcome.mended,
    )
    _show(report, arguments.format, arguments.output)
    if outcome.review.failures:
        return _failed(outcome.review.failures)
    return FOUND if is_failure(outcome.review.findings, outcome.fail_on) else CLEAN


def _options(arguments: argparse.Namespace) -> Options:
    from pathlib import Path

    from fastwright.review.run import Options

    from_stdin = arguments.path == "-"
    return Options(
        path=Path(arguments.stdin_filename or "stdin.py") if from_stdin else Path(arguments.path),
        content=sys.stdin.buffer.read() if from_stdin else None,
        select=None if arguments.select is None else tuple(arguments.select),
        ignore=tuple(arguments.ignore or ()),
        fail_on=arguments.fail_on,
        base=arguments.base,
        baseline=arguments.baseline,
        write_baseline=arguments.write_baseline,
        cache=not arguments.no_cache,
        jobs=arguments.jobs,
        profile=arguments.profile,
        show_fixes=arguments.show_fixes,
    )


def _show(report: Report, form: str, output: Path | None) -> None:
    import importlib

    from fastwright.report.output import write, write_lines

    module = importlib.import_module(f"fastwright.report.{form}_report")
    if form == "text" and not report.quiet:
        write_lines(module.layout(report), output)
    else:
        write(module.render(report), output)


def _map(arguments: argparse.Namespace) -> int:
    import importlib
    from pathlib import Path

    from fastwright.app.map import document, walk_route
    from fastwright.project.discover import open_project
    from fastwright.report.output import write, write_lines
    from fastwright.review.locate import find_routes, find_table
    from fastwright.review.run import Options, load_project

    options = Options(cache=not arguments.no_cache, jobs=arguments.jobs)
    app = load_project(open_project(Path(arguments.path)), options).app
    form = importlib.import_module(f"fastwright.report.map_{arguments.format}")
    if arguments.route is not None:
        routes = find_routes(app, arguments.route)
        shown = form.route([touch for found in routes for touch in walk_route(app, found)])
    elif arguments.table is not None:
        shown = form.table(find_table(document(app), arguments.table))
    else:
        shown = form.whole(document(app))
    show = write_lines if arguments.format == "text" else write
    show(shown, arguments.output)
    return CLEAN


def _fix(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from fastwright.report import steps_text
    from fastwright.review.run import Options
    from fastwright.steps.fixes import Choice, fixes
    from fastwright.steps.run import undo
    from fastwright.steps.tree import Tree

    if arguments.undo:
        undone = undo(Path(arguments.path))
        if undone is None:
            print("There is no run to undo.")
            return CLEAN
        print(steps_text.undone(undone))
        return CLEAN
    options = Options(cache=not arguments.no_cache, jobs=arguments.jobs)
    tree = Tree.open(Path(arguments.path), options)
    select = None if arguments.select is None else tuple(arguments.select)
    choice = Choice(select, tuple(arguments.ignore or ()), arguments.contract_changes)
    return _make(arguments, tree, fixes(tree, choice))


def _refactor(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from fastwright.project.errors import SelectionError
    from fastwright.recipes.recipe import Target
    from fastwright.recipes.registry import find_recipe
    from fastwright.review.run import Options
    from fastwright.steps.recipes import refactor
    from fastwright.steps.tree import Tree

    recipe = find_recipe(arguments.recipe)
    if arguments.style is not None and recipe.name != "paginate":
        raise SelectionError(f"--style says how paginate pages lists; {recipe.name} has none")
    path, _, name = arguments.target.partition("::")
    tree = Tree.open(Path(path), Options(cache=not arguments.no_cache, jobs=arguments.jobs))
    target = Target(
        tree.project.target or None, name or None, arguments.to, arguments.by, arguments.style
    )
    return _make(arguments, tree, refactor(tree, recipe, target))


def _restructure(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from fastwright.report import restructure_text, steps_text
    from fastwright.report.output import write
    from fastwright.review.run import Options
    from fastwright.steps.restructure import restructure, state
    from fastwright.steps.run import run
    from fastwright.steps.step import Done
    from fastwright.steps.tree import Tree

    arguments.diff = arguments.plan
    options = Options(cache=not arguments.no_cache, jobs=arguments.jobs)
    tree = Tree.open(Path(arguments.path), options)
    before = state(tree)
    steps = restructure(tree, arguments.to, contract_changes=arguments.contract_changes)

    def tell(each: Done | Left) -> None:
        if isinstance(each, Done):  # what was left alone comes in a table at the end
            print(steps_text.line(each), flush=True)

    outcome, after = run(tree, steps, _writing(arguments, tree), tell)
    write(restructure_text.text(before, state(after), outcome), arguments.output)
    print(steps_text.summary(outcome))
    return CLEAN


def _make(arguments: argparse.Namespace, tree: Tree, steps: Steps) -> int:
    """Run steps, and show what comes of them."""
    from fastwright.report import steps_json, steps_text
    from fastwright.report.output import write
    from fastwright.steps.run import run
    from fastwright.steps.step import Left

    as_text = arguments.format == "text"

    def tell(each: Done | Left) -> None:
        if as_text and not arguments.diff:
            print(steps_text.line(each), flush=True)
        elif as_text and isinstance(each, Left):
            _complain(steps_text.line(each))  # the difference alone is the output: a patch

    outcome, _ = run(tree, steps, _writing(arguments, tree), tell)
    if not as_text:
        write(steps_json.render(outcome), arguments.output)
    elif arguments.diff:
        write(steps_text.diff(outcome.changes), arguments.output)
        _complain(steps_text.summary(outcome))
    else:
        print(steps_text.summary(outcome))
    return FOUND if arguments.diff and outcome.changes else CLEAN


def _writing(arguments: argparse.Namespace, tree: Tree) -> Writing:
    from fastwright.steps.contract import Reading
    from fastwright.steps.run import Writing

    return Writing(
        arguments.diff,
        arguments.commit,
        arguments.allow_dirty,
        arguments.verify or tree.project.config.verify,
        Reading(arguments.python, arguments.application),
        arguments.timeout,
    )


def _contract(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from fastwright.report import contract_text
    from fastwright.report.output import write
    from fastwright.steps import contract
    from fastwright.verify.difference import difference

    project = Path(arguments.path)
    reading = contract.Reading(arguments.python, arguments.application)
    now = contract.contract_of(project, reading)
    if arguments.action == "save":
        contract.save_contract(now, Path(arguments.other or "openapi.json"))
        return CLEAN
    saved = Path(arguments.other or "HEAD")
    if saved.is_file():
        before = contract.saved_contract(saved)
    else:
        before = contract.contract_at(project, arguments.other or "HEAD", reading)
    changes = difference(before, now)
    shown = contract_text.text if arguments.format == "text" else contract_text.document
    write(shown(changes), arguments.output)
    return FOUND if any(change.kind == "breaking" for change in changes) else CLEAN


def _explain(arguments: argparse.Namespace) -> int:
    from fastwright.report.explain import page
    from fastwright.report.output import write, write_markdown
    from fastwright.review.catalogue import find_rule

    if arguments.rule is None:
        return _rules(arguments)
    show = write if arguments.format == "markdown" else write_markdown
    show(page(find_rule(arguments.rule)), arguments.output)
    return CLEAN


def _rules(arguments: argparse.Namespace) -> int:
    from fastwright.report.explain import json_listing, listing, markdown_listing
    from fastwright.report.output import write, write_lines
    from fastwright.review.catalogue import by_family

    if arguments.format == "text":
        write_lines(listing(by_family()), arguments.output)
    else:
        render = json_listing if arguments.format == "json" else markdown_listing
        write(render(by_family()), arguments.output)
    return CLEAN


# ----------------------------------------------------------------------- errors


def _misuse(error: FastwrightError) -> int:
    _complain(f"fastwright: {error.message}")
    if error.todo:
        _complain(f"  {error.todo}")
    return MISUSE


def _failed(failures: Sequence[RuleFailure]) -> int:
    """Say which rules failed. Their tracebacks go to one file."""
    text = "\n".join(f"{f.rule} on {f.file or 'the application'}\n{f.traceback}" for f in failures)
    names = ", ".join(sorted({failure.rule for failure in failures}))
    return _report_bug(f"{names} failed; the other rules ran", text)


def _internal(error: Exception) -> int:
    import traceback

    text = "".join(traceback.format_exception(error))
    return _report_bug(f"internal error: {type(error).__name__}: {error}", text)


def _report_bug(what: str, text: str) -> int:
    """Say that it is a bug of ours, and what to report."""
    import platform
    import tempfile

    about = f"fastwright {VERSION}, Python {platform.python_version()}, {platform.platform()}"
    with tempfile.NamedTemporaryFile(
        "w", prefix="fastwright-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
    ) as file:
        file.write(f"{about}\n{what}\n\n{text}")
    _complain(f"fastwright: {what}")
    _complain("  This is a bug of fastwright, not of your code. Please report it with:")
    _complain(f"  {about}")
    _complain(f"  {file.name} (the traceback)")
    return INTERNAL


def _complain(text: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


# ---------------------------------------------------------------------- options


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="fastwright",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastwright {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_review(commands)
    _add_fix(commands)
    _add_refactor(commands)
    _add_restructure(commands)
    _add_map(commands)
    _add_contract(commands)
    _add_explain(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    about: str,
    run: Callable[[argparse.Namespace], int],
    formats: Sequence[str],
) -> argparse.ArgumentParser:
    """Add a command with the options that all commands have."""
    from pathlib import Path

    parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    parser.set_defaults(run=run)
    parser.add_argument("--format", choices=formats, default="text", help="default: text")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write there, not to the screen"
    )
    return parser


def _add_review(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pathlib import Path

    about = "say what is wrong with an application, and prove it"
    parser = _command(commands, "review", about, _review, _FORMATS)
    parser.add_argument("path", nargs="?", default=".", help="folder or file; - for standard input")
    chosen = parser.add_argument_group(
        "which rules", "RULES: names, families, severities, default or all, separated by commas"
    )
    chosen.add_argument(
        "--select", type=_names, metavar="RULES", action="extend", help="only these"
    )
    chosen.add_argument("--ignore", type=_names, metavar="RULES", action="extend", help="not these")
    held = parser.add_argument_group("which findings")
    held.add_argument(
        "--base", metavar="REV", help="only what was brought in since this branch left REV"
    )
    held.add_argument("--baseline", type=Path, metavar="FILE", help="only what FILE does not hold")
    held.add_argument(
        "--write-baseline", action="store_true", help="write the findings of today to the baseline"
    )
    parser.add_argument(
        "--fail-on",
        choices=("never", "error", "warning", "info"),
        help="the least severity that makes the exit code 1 (default: info)",
    )
    parser.add_argument("--statistics", action="store_true", help="findings and time of each rule")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="ask every rule anew, one after the other, and show what each costs",
    )
    parser.add_argument(
        "--show-fixes", action="store_true", help="what the fix of each finding makes of your code"
    )
    parser.add_argument("--quiet", action="store_true", help="one line for each finding, no more")
    parser.add_argument("--stdin-filename", metavar="FILE", help="the file that standard input is")
    _add_reading(parser)


def _add_fix(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "mend what has a safe fix, in verified steps"
    parser = _command(commands, "fix", about, _fix, ("text", "json"))
    parser.add_argument("path", nargs="?", default=".", help="folder or file")
    chosen = parser.add_argument_group(
        "which fixes", "RULES: names, families, severities, default or all, separated by commas"
    )
    chosen.add_argument(
        "--select", type=_names, metavar="RULES", action="extend", help="only of these"
    )
    chosen.add_argument(
        "--ignore", type=_names, metavar="RULES", action="extend", help="not of these"
    )
    chosen.add_argument(
        "--contract-changes",
        action="store_true",
        help="also fixes that change the API, in the way that their rules say",
    )
    _add_writing(parser)
    parser.add_argument(
        "--undo", action="store_true", help="bring back every file as it was before the last run"
    )
    _add_reading(parser)


def _add_writing(parser: argparse.ArgumentParser, *, diff: bool = True) -> None:
    if diff:
        parser.add_argument(
            "--diff", action="store_true", help="show the difference, write nothing"
        )
    parser.add_argument("--commit", action="store_true", help="one git commit for each step")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="also beside changes that are not committed"
    )
    verified = parser.add_argument_group(
        "verifying", "each step is verified by the model; beyond that, your code is run"
    )
    verified.add_argument(
        "--verify",
        choices=("model", "contract", "tests"),
        help="how far: contract imports the application, tests runs its tests as well",
    )
    _add_importing(verified)
    verified.add_argument(
        "--timeout", type=_positive, default=600, metavar="S", help="of the tests, in seconds"
    )


def _add_refactor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "one refactoring of several files, in verified steps"
    parser = _command(commands, "refactor", about, _refactor, ("text", "json"))
    parser.add_argument("recipe", metavar="RECIPE", help="its name; a wrong one lists them")
    parser.add_argument(
        "target",
        nargs="?",
        default=".",
        metavar="TARGET",
        help="folder, file, or file.py::function (default: the application in this folder)",
    )
    parser.add_argument(
        "--to",
        choices=("layered", "clean"),
        default="layered",
        help="the architecture that is wanted",
    )
    parser.add_argument(
        "--by",
        choices=("kind", "domain"),
        default="kind",
        help="what split-module parts a file by (default: kind)",
    )
    parser.add_argument(
        "--style",
        choices=("offset", "page", "cursor"),
        help="how paginate pages lists (default: as the project does already, else offset)",
    )
    _add_writing(parser)
    _add_reading(parser)


def _add_restructure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "all refactorings in order, on a whole application, in verified steps"
    parser = _command(commands, "restructure", about, _restructure, ("text",))
    parser.add_argument("path", nargs="?", default=".", help="folder of the application")
    parser.add_argument(
        "--to", choices=("layered", "clean"), required=True, help="the architecture that is wanted"
    )
    parser.add_argument(
        "--plan", action="store_true", help="show what would be done, write nothing"
    )
    parser.add_argument(
        "--contract-changes",
        action="store_true",
        help="also what changes the API, in the way that it declares",
    )
    _add_writing(parser, diff=False)
    _add_reading(parser)


def _add_map(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "show an application: routes, dependencies, layers, tables"
    parser = _command(commands, "map", about, _map, ("text", "json", "mermaid"))
    parser.add_argument("path", nargs="?", default=".", help="folder of the application")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--route", metavar="ROUTE", help='all that one request touches: "POST /orders"'
    )
    only.add_argument("--table", metavar="TABLE", help="all that touches one table")
    _add_reading(parser)


def _add_contract(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:

    about = "the API contract (OpenAPI), and what a change does to it; imports the application"
    parser = _command(commands, "contract", about, _contract, ("text", "json"))
    parser.add_argument("action", choices=("save", "diff"))
    parser.add_argument(
        "other",
        nargs="?",
        metavar="FILE|REV",
        help="save: the file to write (openapi.json); diff: a saved contract or a git revision (HEAD)",
    )
    parser.add_argument("--path", default=".", metavar="PATH", help="folder of the application")
    _add_importing(parser)


def _add_importing(parser: argparse._ActionsContainer) -> None:
    from pathlib import Path

    parser.add_argument(
        "--python",
        type=Path,
        metavar="PATH",
        help="interpreter that has what the application needs",
    )
    parser.add_argument(
        "--application",
        metavar="MODULE:NAME",
        help="the application, or the function that makes it",
    )


def _add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "explain a rule: why, how to mend it, examples"
    parser = _command(commands, "explain", about, _explain, ("text", "markdown"))
    parser.add_argument("rule", nargs="?", metavar="RULE", help="without it, all rules are listed")
    _command(commands, "rules", "list all rules", _rules, ("text", "markdown", "json"))


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-cache", action="store_true", help="read every file anew, keep nothing"
    )
    parser.add_argument("--jobs", type=_positive, metavar="N", help="processes that read files")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        import argparse

        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
