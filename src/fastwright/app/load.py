"""Load a project: read what changed, take the rest from the cache, and link it into an App."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import field

from fastwright.app.library import library_with
from fastwright.app.model import App
from fastwright.project.cache import Cache, Entry, Known
from fastwright.project.discover import Project
from fastwright.project.errors import FastwrightError
from fastwright.project.files import Problem, SourceFile
from fastwright.project.versions import Versions
from fastwright.read.facts import Facts, Header, decode_facts, encode
from fastwright.read.module import Module
from fastwright.read.reader import MAX_BYTES, Unreadable, read, to_utf8

Inspect: TypeAlias = "Callable[[Module, Versions], bytes]"
"""Looks at one module as it is read; what it returns is kept with the facts."""

_POOL_FROM = 400_000
"""Bytes to read from which starting processes pays off."""
_CHUNK = 400_000
"""Bytes of source that a process is given at once."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What the cache keeps of a file for every run."""

    header: Header
    notes: bytes
    """What ``Inspect`` returned."""
    unread: str | None = None
    """Why the file was not read, where it was not."""


class _Job(msgspec.Struct, frozen=True):
    path: str
    absolute: str
    name: str
    kind: str


class Read(msgspec.Struct, frozen=True):
    """What reading one file gave."""

    path: str
    digest: bytes
    kept: bytes
    facts: bytes
    problem: str | None
    read_ns: int


Reads: TypeAlias = "dict[tuple[str, bytes], Read]"
"""What was read in this process, by path and digest: of one tree after the other, few files differ."""

_EMPTY = Header([], [], [], [], [], [], [])
_KEPT = msgspec.msgpack.Decoder(Kept)
_ENCODE = msgspec.msgpack.Encoder().encode


class Edited(msgspec.Struct, frozen=True):
    """A file as the cache had it, and as it is now."""

    path: str
    digest: bytes
    """Of the content that the cache had."""
    header: Header
    facts: Facts
    new_header: Header
    new_facts: Facts


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """An App, and what came with reading it."""

    app: App
    notes: dict[str, bytes]
    """By path: what ``Inspect`` said of each module."""
    problems: tuple[Problem, ...]
    """Files and folders that were not read, and why; sorted."""
    changed: int
    """How many files had to be parsed."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """By path: what identifies the content of each module."""
    edited: tuple[Edited, ...] = ()
    """The files that the cache had otherwise, where they are few."""
    data_files: dict[str, bytes | None] = field(default_factory=dict)
    """The data files that linking has asked for so far: content by path, None where there is none."""
    cache: Cache = field(default_factory=Cache.none)


def load(
    project: Project,
    *,
    cache: Cache | None = None,
    inspect: Inspect | None = None,
    jobs: int | None = None,
    sources: dict[str, bytes] | None = None,
    reads: Reads | None = None,
) -> Loaded:
    """Read the project and link it.

    ``sources`` gives the content of files that should be taken instead of what is on the disk
    (an editor's buffer). ``jobs`` is the number of processes; None means as many as cores.
    What is in ``reads`` is not read again; what is read goes there.
    """
    cache = cache or Cache.none()
    known = cache.known()
    given = sources or {}
    current: dict[str, Known] = {}
    stale: list[SourceFile] = []
    for file in project.files:
        entry = known.get(file.path)
        if entry is not None and file.path not in given and entry.is_current(file):
            current[file.path] = entry
        else:
            stale.append(file)
    reads = {} if reads is None else reads
    fresh: dict[str, Read] = {}
    problems = list(project.problems)
    unchanged: list[Entry] = []
    stale_jobs = []
    for file in stale:
        entry = known.get(file.path)
        if entry is not None and file.path not in given and _same(project.root, file, entry):
            current[file.path] = entry
            if (facts := cache.facts(file.path, entry.digest)) is not None:
                unchanged.append(Entry(file, time.time_ns(), entry.digest, entry.header, facts))
        elif (read_before := _remembered(project.root, file, given, reads)) is not None:
            fresh[file.path] = read_before
        else:
            stale_jobs.append(file)
    for result in _read_all(project, stale_jobs, inspect, jobs, given):
        fresh[result.path] = reads[(result.path, result.digest)] = result
    edited = _edited(cache, known, fresh)
    modules, notes, unread = _modules(project, cache, current, fresh, given)
    problems += unread
    _store(cache, project, known, fresh, unchanged, given)
    data: dict[str, bytes | None] = {}
    read_file = _data_files(project.root, data)
    library = library_with(project.config.library)
    app = App(modules, project.index, project.versions, project.config.layers, read_file, library)
    digests = {path: entry.digest for path, entry in current.items()}
    digests.update((path, result.digest) for path, result in fresh.items())
    digests = {path: digests[path] for path in modules}
    return Loaded(app, notes, tuple(sorted(problems)), len(fresh), digests, edited, data, cache)


_FEW = 20
"""More edited files than that are looked at as new ones."""


def _remembered(root: Path, file: SourceFile, given: dict[str, bytes], reads: Reads) -> Read | None:
    """Return what reading a file gave before, where it is the same."""
    if not reads:
        return None
    try:
        data = given[file.path] if file.path in given else _bytes(str(root / file.path))
    except OSError:
        return None
    return reads.get((file.path, _digest(data)))


def _edited(cache: Cache, known: dict[str, Known], fresh: dict[str, Read]) -> tuple[Edited, ...]:
    """Return what few files were before, as far as the cache still knows."""
    if len(fresh) > _FEW:
        return ()
    found = []
    for path, result in fresh.items():
        entry = known.get(path)
        data = cache.facts(path, entry.digest) if entry is not None else None
        if entry is None or data is None or result.problem is not None:
            continue
        old, new = _KEPT.decode(entry.header), _KEPT.decode(result.kept)
        if old.unread is None and new.unread is None:
            facts = decode_facts(data), decode_facts(result.facts)
            found.append(Edited(path, entry.digest, old.header, facts[0], new.header, facts[1]))
    return tuple(found)


def _same(root: Path, file: SourceFile, entry: Known) -> bool:
    """Whether a file that was touched still has the content that the cache knows."""
    if entry.size != file.size:
        return False
    try:
        data = (root / file.path).read_bytes()
    except OSError:
        return False
    return _digest(data) == entry.digest


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


# ---------------------------------------------------------------------- reading

_inspect: Inspect | None = None
_versions = Versions()


def _start(inspect: Inspect | None, versions: Versions) -> None:
    """Prepare a reading process."""
    import gc  # noqa: PLC0415 - only in the processes that read

    global _inspect, _versions
    gc.disable()  # facts hold no cycles
    _inspect, _versions = inspect, versions


def _read_all(
    project: Project,
    files: list[SourceFile],
    inspect: Inspect | None,
    jobs: int | None,
    given: dict[str, bytes],
) -> Iterator[Read]:
    work = [
        _Job(f.path, str(project.root / f.path), project.index.name(f.path), f.kind) for f in files
    ]
    sizes = {file.path: file.size for file in files}
    count = jobs or project.config.jobs or os.cpu_count() or 1
    _start(inspect, project.versions)
    if count == 1 or sum(sizes.values()) < _POOL_FROM or given:
        for job in work:
            yield _read_one(job, given.get(job.path))
        return
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(
        count, context, initializer=_start, initargs=(inspect, project.versions)
    ) as pool:
        for results in pool.map(_read_chunk, _chunks(work, sizes)):
            yield from results


def _chunks(work: list[_Job], sizes: dict[str, int]) -> list[list[_Job]]:
    """Return the jobs in groups of about equal size, the largest files first."""
    chunks: list[list[_Job]] = []
    room = 0
    for job in sorted(work, key=lambda job: (-sizes[job.path], job.path)):
        if room <= 0:
            chunks.append([])
            room = _CHUNK
        chunks[-1].append(job)
        room -= sizes[job.path] + 2_000
    return chunks


def _read_chunk(work: list[_Job]) -> list[Read]:
    return [_read_one(job, None) for job in work]


def _read_one(job: _Job, given: bytes | None) -> Read:
    read_ns = time.time_ns()
    try:
        data = given if given is not None else _bytes(job.absolute)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Read(job.path, b"", b"", b"", reason, read_ns)
    digest = _digest(data)
    source = to_utf8(data)
    if isinstance(source, Unreadable):
        kept = _ENCODE(Kept(_EMPTY, b"", source.reason))
        return Read(job.path, digest, kept, b"", None, read_ns)
    header, facts = read(source)
    encoded = encode(facts)
    notes = b""
    if _inspect is not None:
        module = Module(job.path, job.name, job.kind, header, lambda: facts, lambda: source)
        notes = _inspect(module, _versions)
    return Read(job.path, digest, _ENCODE(Kept(header, notes)), encoded, None, read_ns)


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - thousands of files: pathlib is slow
        return file.read(MAX_BYTES + 1)


# ---------------------------------------------------------------------- linking


def _modules(
    project: Project,
    cache: Cache,
    current: dict[str, Known],
    fresh: dict[str, Read],
    given: dict[str, bytes],
) -> tuple[dict[str, Module], dict[str, bytes], list[Problem]]:
    modules: dict[str, Module] = {}
    notes: dict[str, bytes] = {}
    problems: list[Problem] = []
    for file in project.files:
        result, entry = fresh.get(file.path), current.get(file.path)
        if result is not None and result.problem is not None:
            problems.append(Problem(file.path, result.problem))
            continue
        data = result.kept if result is not None else entry.header if entry is not None else b""
        kept = _KEPT.decode(data)
        if kept.unread is not None:
            problems.append(Problem(file.path, kept.unread))
            continue
        loader = _loader(project, cache, file, entry, result)
        known = result.digest if result is not None else entry.digest if entry is not None else b""
        source = _source(project.root, file.path, known, given.get(file.path))
        name = project.index.name(file.path)
        modules[file.path] = Module(file.path, name, file.kind, kept.header, loader, source)
        notes[file.path] = kept.notes
    return modules, notes, problems


def _loader(
    project: Project, cache: Cache, file: SourceFile, entry: Known | None, result: Read | None
) -> Callable[[], Facts]:
    """Return how the facts of a file are had: just read, from the cache, or read once more."""

    def facts() -> Facts:
        if result is not None:
            return decode_facts(result.facts)
        if entry is not None and (data := cache.facts(file.path, entry.digest)) is not None:
            try:
                return decode_facts(data)
            except (msgspec.DecodeError, ValueError):
                pass  # damaged: read the file again
        return _again(project.root / file.path)

    return facts


def _source(root: Path, path: str, digest: bytes, given: bytes | None) -> Callable[[], bytes]:
    """Return how the text of a file is had: the same that its facts were made of, or an error."""

    def source() -> bytes:
        try:
            data = given if given is not None else _bytes(str(root / path))
        except OSError:
            data = b""
        text = to_utf8(data)
        if isinstance(text, Unreadable) or _digest(data) != digest:
            raise FastwrightError(f"{path} changed while it was read", "Run the command again.")
        return text

    return source


def _again(path: Path) -> Facts:
    try:
        source = to_utf8(path.read_bytes())
    except OSError:
        source = b""
    return read(source if isinstance(source, bytes) else b"")[1]


_MAX_DATA = 2_000_000
"""Larger data files hold no routes."""


def _data_files(root: Path, asked: dict[str, bytes | None]) -> Callable[[str], bytes | None]:
    """Return how a data file below the root is read; what is outside of it does not exist.

    What was asked for, and the answer, is put into ``asked``.
    """

    def content(path: str) -> bytes | None:
        asked[path] = found = on_disk(path)
        return found

    def on_disk(path: str) -> bytes | None:
        try:
            found = (root / path).resolve()
            if not found.is_relative_to(root) or found.stat().st_size > _MAX_DATA:
                return None
            return found.read_bytes()
        except (OSError, ValueError):
            return None

    return content


def _store(
    cache: Cache,
    project: Project,
    known: dict[str, Known],
    fresh: dict[str, Read],
    unchanged: Iterable[Entry],
    given: dict[str, bytes],
) -> None:
    entries = list(unchanged)
    paths = set()
    for file in project.files:
        paths.add(file.path)
        result = fresh.get(file.path)
        if result is not None and result.problem is None and file.path not in given:
            entries.append(Entry(file, result.read_ns, result.digest, result.kept, result.facts))
    gone = [path for path in known if path not in paths]
    if entries or gone:
        cache.store(entries, gone)
