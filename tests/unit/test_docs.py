"""The documentation tells the truth: links, commands, paths, and lists that stand in the code."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agenttower.bootstrap import STAGES
from agenttower.cli.main import root
from agenttower.domain.restart import RestartPolicy
from agenttower.services.definitions import profile_of, template_of
from agenttower.services.yamlfile import FileFault, parse_yaml
from agenttower.settings import load_config
from agenttower.store.models import TABLES
from tests.support.markdown import Document, codes

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): Document(path)
    for path in (
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "examples/README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
GUIDE = DOCUMENTS["docs/operator-guide.md"]
CONTRACT = DOCUMENTS["docs/contract.md"]
ARCHITECTURE = DOCUMENTS["docs/architecture.md"]
DURABILITY = DOCUMENTS["docs/durability.md"]
SOURCES = [*(ROOT / "agenttower").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]

every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())


@every_document
def test_links_lead_somewhere(document: Document) -> None:
    for link in document.links:
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.path.parent / name).resolve() if name else document.path
        assert target.exists(), link
        if anchor:
            assert anchor in Document(target).anchors, link


@every_document
def test_nothing_is_cited_that_readers_do_not_have(document: Document) -> None:
    assert "shared/" not in document.text
    if document.path.name in ("sources.md", "README.md"):
        return  # they explain these names, or point to where they are explained
    for name in ("design.md", "managed.md", "tmux-channel.md", "legacy-surfaces"):
        assert name not in document.text


@every_document
def test_paths_and_tests_that_are_named_exist(document: Document) -> None:
    for span in document.spans:
        if not re.match(
            r"(agenttower|workers|tests|docs|scripts|examples)/[\w/.-]*(::\w+)?$", span
        ):
            continue
        name, _, test = span.partition("::")
        assert (ROOT / name).exists(), span
        if test:
            text = (ROOT / name).read_text(encoding="utf-8")
            assert re.search(rf"^ *(def|class) {test}\(", text, re.MULTILINE), span


@every_document
def test_make_targets_exist(document: Document) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = [
        line for block in document.blocks if block.kind == "sh" for line in block.text.split("\n")
    ]
    for text in [*document.spans, *shown]:
        named = re.match(r"make ([a-z]+)", text)
        assert named is None or named[1] in targets, text


# --- commands ------------------------------------------------------------------------------------


def command_lines(document: Document) -> Iterator[list[str]]:
    """The arguments of every ``agenttower`` command in a shell block."""
    for block in document.blocks:
        if block.kind != "sh":
            continue
        for line in re.sub(r"<<'EOF'.*?^EOF$|\\\n", "", block.text, flags=re.DOTALL | re.M).split(
            "\n"
        ):
            for part in re.split(r"&&|[;|&]", line):
                words = shlex.split(part, comments=True)
                if words and "=" not in words[0] and Path(words[0]).name == "agenttower":
                    yield words[1:]


@every_document
def test_commands_in_shell_blocks_parse(document: Document) -> None:
    for arguments in command_lines(document):
        context = click.Context(root, **root.context_settings)
        command, words = descend(arguments)
        try:
            with command.make_context("shown", words, parent=context):
                pass
        except click.exceptions.Exit:
            pass  # --version
        except click.UsageError as error:
            pytest.fail(f"{shlex.join(arguments)}: {error.format_message()}")


@every_document
def test_commands_in_the_text_exist_with_their_options(document: Document) -> None:
    for span in document.spans:
        if not span.startswith("agenttower "):
            continue
        command, words = descend(span.split()[1:])
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if word.startswith("--") and word != "--help":
                assert word.partition("=")[0] in known, span
        if isinstance(command, click.Group):
            assert not words or words[0].startswith("-"), span


def test_every_command_is_in_the_guide_or_the_readme() -> None:
    shown = [*command_lines(GUIDE), *command_lines(DOCUMENTS["README.md"])]
    shown += [span.split()[1:] for document in (GUIDE, DOCUMENTS["README.md"])
              for span in document.spans if span.startswith("agenttower ")]  # fmt: skip
    named = {descend(words)[0] for words in shown}
    for path, command in leaves(root):
        assert command in named, f"agenttower {' '.join(path)} is not documented"


def leaves(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, (*path, name))


def test_options_named_for_a_command_are_its_options() -> None:
    create, _ = descend(["layout", "create"])
    known = {option for parameter in create.params for option in parameter.opts}
    for row in GUIDE.table("option", "what for").rows:
        assert codes(row[0])[0].split()[0] in known


def descend(arguments: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words lead to, and the words left for it."""
    command: click.Command = root
    words = list(arguments)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(command)
        inner = command.get_command(context, words[0])
        assert inner is not None, f"no command {words[0]!r} in {arguments}"
        command, words = inner, words[1:]
    return command, words


# --- files that are shown ------------------------------------------------------------------------


def test_templates_and_profiles_that_are_shown_are_valid() -> None:
    shown = [block.text for block in GUIDE.blocks if block.kind == "yaml"]
    assert len(shown) == 4
    for text in shown:
        build = template_of if "panes:" in text else profile_of
        build(parse_yaml(text.encode()))


def test_the_defaults_and_bounds_of_restarts() -> None:
    rows = {codes(row[0])[0]: row for row in GUIDE.table("key of restart", "default").rows}
    assert list(rows) == ["policy", "max", "backoff"]
    known = RestartPolicy()
    assert codes(rows["max"][1]) == [str(known.maximum)]
    assert codes(rows["backoff"][1]) == [f"{known.backoff_s:g}"]
    for key, beyond in (("max", (0, 16)), ("backoff", (0.09, 301))):
        inside = re.search(r"([\d.]+) to (\d+)", rows[key][2])
        assert inside is not None
        for value in inside.groups():
            profile_of(parse_yaml(_restarting(key, value)))
        for value in beyond:
            with pytest.raises(FileFault):
                profile_of(parse_yaml(_restarting(key, value)))


def _restarting(key: str, value: object) -> bytes:
    return f"{{name: x, command: [x], restart: {{policy: on-failure, {key}: {value}}}}}".encode()


def test_configurations_that_are_shown_are_valid(tmp_path: Path) -> None:
    shown = [block.text for block in GUIDE.blocks if block.kind == "toml"]
    assert shown
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        load_config(file, environ={})


# --- architecture --------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_database() -> None:
    told = [name for row in ARCHITECTURE.table("table", "holds").rows for name in codes(row[0])]
    assert told == [table._meta.table_name for table in TABLES]  # type: ignore[attr-defined]


def test_the_tasks_are_those_of_the_pipeline() -> None:
    rows = ARCHITECTURE.table("task", "stage shown").rows
    assert [codes(row[0])[0] for row in rows] == list(STAGES)


def test_the_layers_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if c["id"] == "layers")
    shown = [block.text for block in ARCHITECTURE.blocks if block.kind == "layers"]
    assert shown == ["".join(f"{layer}\n" for layer in layers)]


def test_every_package_is_in_the_map() -> None:
    rows = ARCHITECTURE.table("path", "what is in it").rows
    told = {Path(name) for row in rows for name in codes(row[0])}
    packages = {path.parent.relative_to(ROOT) for path in SOURCES if path.name == "__init__.py"}
    top = {path for path in packages if path.parent == Path("agenttower")}
    assert top <= told
    assert {path for path in told if path.suffix == ""} == top


def test_the_crash_points_are_those_of_the_code() -> None:
    rows = ARCHITECTURE.table("point", "process").rows
    assert sorted(codes(row[0])[0] for row in rows) == sorted(crash_points())


def crash_points() -> set[str]:
    """The names given to ``crash_point``, a name put in at run time written ``<stage>``."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash_point":
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    found.add(str(name.value))
                else:
                    assert isinstance(name, ast.JoinedStr)
                    parts = (
                        p.value if isinstance(p, ast.Constant) else "<stage>" for p in name.values
                    )
                    found.add("".join(map(str, parts)))
    return found


def test_the_tmux_options_are_those_of_the_code() -> None:
    used = set()
    for path in (ROOT / "agenttower/bench").glob("*.py"):
        used |= set(re.findall(r"@agenttower_[a-z]+", path.read_text(encoding="utf-8")))
    rows = ARCHITECTURE.table("tmux option", "on").rows
    assert {codes(row[0])[0].partition("_<")[0] for row in rows} == used


# --- durability ----------------------------------------------------------------------------------


def test_every_step_of_the_argument_names_failure_code_and_test() -> None:
    _, _, argument = DURABILITY.text.partition("\n## The argument\n")
    argument, _, _ = argument.partition("\n## ")
    steps = re.split(r"^### ", argument, flags=re.MULTILINE)[1:]
    assert len(steps) > 15
    for step in steps:
        title, *lines = step.strip().split("\n")
        told = dict(line[2:].split(": ", 1) for line in lines if re.match(r"- \w+: ", line))
        assert list(told) == ["answers", "code", "test"], title
        assert codes(told["code"]), title
        assert codes(told["test"]), title
        assert all("::" in name for name in codes(told["code"]) + codes(told["test"])), title
        assert all(re.match("tests/.*::test_", name) for name in codes(told["test"])), title


# --- decisions -----------------------------------------------------------------------------------


def test_decisions_are_numbered_indexed_and_complete() -> None:
    index = DOCUMENTS["docs/decisions/README.md"]
    records = [d for name, d in DOCUMENTS.items() if re.match(r"docs/decisions/\d", name)]
    listed = []
    for number, record in enumerate(records, start=1):
        title = re.match(r"# (\d{4}) (.+)\n", record.text)
        assert title is not None
        assert record.path.name.startswith(title[1])
        assert int(title[1]) == number
        assert re.findall(r"^\*\*(\w+)\.\*\*", record.text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequence",
        ]
        listed.append((f"[{title[1]}]({record.path.name})", title[2]))
    assert list(index.table("number", "decision").rows) == listed
