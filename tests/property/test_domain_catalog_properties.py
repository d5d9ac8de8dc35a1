"""The YAML reader, for all bytes: a definition or a reason, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agenttower.domain.templates import LaunchProfile
from agenttower.services.catalog import Catalog
from agenttower.services.definitions import profile_of, template_of
from agenttower.services.yamlfile import FileFault, Item, parse_yaml

WORDS = st.sampled_from(
    [
        *("name", "command", "env", "working_dir", "panes", "role", "layout", "on", "1", "~", "a"),
        *(":", ": ", "- ", "\n", "\n  ", "\n- ", "? ", "[", "]", "{", "}", ", ", "&a ", "*a"),
        *("<<: ", "|", ">", "'", '"', "#", "!!str ", "!x ", "%YAML 1.1\n", "---\n", "...\n"),
        *("\t", "\r", "\x85", "\u2028", "\ufeff", "\0", "é", "\\0", "\\ud800", "\\UFFFFFFFF"),
    ]
)
DOCUMENTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode()),
)


def fault_in(build: Callable[[Item], object], data: bytes) -> FileFault | None:
    try:
        build(parse_yaml(data))
    except FileFault as fault:
        return fault
    return None


@pytest.mark.parametrize("build", [template_of, profile_of])
@given(data=DOCUMENTS)
@settings(max_examples=500)
@example(data=b"!<\xff>")
@example(data=b"%TAG !x")
@example(data=b'"\\x')
@example(data=b'"\\UFFFFFFFF"')
def test_any_bytes_give_a_definition_or_a_reason(
    build: Callable[[Item], object], data: bytes
) -> None:
    fault = fault_in(build, data)
    if fault is not None:
        assert fault.reason
        assert fault.reason.isprintable()
        assert fault.line is None or 1 <= fault.line <= len(data) + 1


ARGUMENTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
VARIABLES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(
    st.lists(ARGUMENTS, min_size=1, max_size=5).filter(lambda argv: argv[0] != ""),
    st.dictionaries(VARIABLES, ARGUMENTS, max_size=4),
    st.none() | ARGUMENTS.map(lambda path: f"/{path}"),
)
def test_what_is_written_in_quotes_comes_back_to_the_byte(
    command: list[str], env: dict[str, str], working_dir: str | None
) -> None:
    """JSON is YAML, if nothing but ASCII is left in it and pairs of surrogates are joined."""
    wish = {"name": "p", "command": command, "env": env, "working_dir": working_dir}
    text = json.dumps(wish, ensure_ascii=False)
    for character in {c for c in text if not c.isascii() or c == "\x7f"}:
        text = text.replace(character, f"\\U{ord(character):08x}")
    # A quoted key is text in YAML too, so names such as "on" need no care here.
    assert profile_of(parse_yaml(text.encode())) == LaunchProfile(
        "p", tuple(command), env, working_dir
    )


@given(data=DOCUMENTS)
@settings(max_examples=50)
def test_a_folder_with_any_file_still_has_the_built_in_templates(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder: Path = tmp_path_factory.mktemp("templates")
    (folder / "x.yaml").write_bytes(data)
    catalog = Catalog(folder, folder)
    assert {"1m+2s", "2m+2s"} <= set(catalog.templates())
    assert len(catalog.templates()) - 2 + len(catalog.template_problems()) == 1
