"""R12: what cgroup lines prove, on the forms that engines really write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.rpc.cgroup import Resolve, Verdict, chains, container_signs, parse
from agenttower.rpc.cgroup import judge as judge_chains

A = "a" * 64
B = "0123456789abcdef" * 4
C = "c" * 64
HOST = {"": "/"}

hex_id = st.text("0123456789abcdef", min_size=64, max_size=64)


def judge(peer: dict[str, str], ours: dict[str, str], resolve: Resolve) -> Verdict:
    return judge_chains(chains(peer, ours), resolve)


def registry(*ids: str) -> dict[str, str]:
    return {key: full for full in ids for key in (full, full[:12])}


@pytest.mark.parametrize(
    ("path", "signs"),
    [
        ("/", ()),
        (f"/docker/{A}", (A,)),
        (f"/system.slice/docker-{A}.scope", (A,)),
        (f"/docker/{A}/init.scope", (A,)),
        (f"/docker/{A}/docker/{B}", (A, B)),
        (f"/docker/{A}/system.slice/docker-{B}.scope", (A, B)),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope", (A,)),
        (f"/machine.slice/libpod-{A}.scope/container", (A,)),
        (f"/libpod_parent/libpod-{A}", (A,)),
        (f"/libpod_parent/{B}/libpod-{A}", (A,)),
        (f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", (A,)),
        (f"/machine.slice/libpod-conmon-{A}.scope", ()),
        (f"/kubepods.slice/kubepods-besteffort.slice/crio-conmon-{A}.scope", ()),
        (f"/kubepods/burstable/pod2d3f9a1e-7c/{A}", (A,)),
        (f"/kubepods.slice/kubepods-pod2d3f.slice/cri-containerd-{A}.scope", (A,)),
        (f"/kubepods.slice/kubepods-pod2d3f.slice/crio-{A}.scope", (A,)),
        (f"/system.slice/containerd.service/kubepods-pod2.slice:cri-containerd:{A}", (A,)),
        (f"/actions_job/{A}", (A,)),
        (f"/ecs/0f3c/{A}", (A,)),
        (f"/lxc/{A}", (A,)),
        ("/lxc/web", ("lxc:web",)),
        ("/lxc.payload.web/system.slice", ("lxc:web",)),
        ("/lxc.payload/web", ("lxc:web",)),
        (f"/lxc.payload.web/docker/{A}", ("lxc:web", A)),
        ("/lxc.monitor.web", ()),
        ("/process_api/f3688120e4688b5bd5a9f6d609f4f34a", ()),
        ("/user.slice/user-1000.slice/session-3.scope", ()),
        ("/system.slice/docker.service", ()),
        ("/system.slice/containerd.service", ()),
        ("/docker", ()),
        (f"/docker/{A[:63]}", ()),
        (f"/docker/{A}a", ()),
        (f"/docker/{A.upper()}", ()),
        (f"/docker/x{A}", ()),
        (f"/docker-{A}.scope.bak", ()),
        (f"/../{A}", (A,)),
    ],
)
def test_signs_of_a_path(path: str, signs: tuple[str, ...]) -> None:
    assert container_signs(path) == signs


def test_parse_version_1_and_2_lines() -> None:
    text = f"12:cpu,cpuacct:/docker/{A}\n1:name=systemd:/docker/{A}\n0::/with:colon\n"
    assert parse(text) == {
        "cpu,cpuacct": f"/docker/{A}",
        "name=systemd": f"/docker/{A}",
        "": "/with:colon",
    }


@pytest.mark.parametrize("text", ["", "nonsense", "0:/", "x::/", "0::relative", "::/\n"])
def test_parse_refuses_what_is_no_cgroup_file(text: str) -> None:
    with pytest.raises(ValueError, match="cgroup line"):
        parse(text)


def test_no_sign_is_no_verdict() -> None:
    assert judge({"": "/user.slice"}, HOST, registry(A).get) == Verdict()


def test_registered_container() -> None:
    assert judge({"": f"/docker/{A}"}, HOST, registry(A).get) == Verdict(container_id=A)


def test_unregistered_container_is_unclear() -> None:
    assert judge({"": f"/docker/{A}"}, HOST, registry(B).get).unclear


def test_outermost_id_decides() -> None:
    """A container may make any group inside its own; another's id there must gain it nothing."""
    inside_a = {"": f"/docker/{A}/docker/{B}"}
    assert judge(inside_a, HOST, registry(A).get) == Verdict(container_id=A)
    assert judge(inside_a, HOST, registry(B).get).unclear
    assert judge(inside_a, HOST, registry(A, B).get).unclear


def test_lxc_outside_a_container_is_unclear() -> None:
    assert judge({"": f"/lxc.payload.web/docker/{A}"}, HOST, registry(A).get).unclear


def test_hierarchies_that_disagree_are_unclear() -> None:
    lines = {"cpu": f"/docker/{A}", "memory": f"/docker/{B}"}
    assert judge(lines, HOST, registry(A, B).get).unclear


def test_hierarchies_without_a_sign_do_not_disagree() -> None:
    lines = {"cpu": f"/docker/{A}", "": "/"}
    assert judge(lines, HOST, registry(A).get) == Verdict(container_id=A)


def test_a_container_that_we_share_proves_nothing() -> None:
    ours = {"": f"/docker/{A}/serve"}
    assert judge({"": f"/docker/{A}/cli"}, ours, registry(A).get) == Verdict()
    nested = {"": f"/docker/{A}/docker/{B}"}
    assert judge(nested, ours, registry(B).get) == Verdict(container_id=B)
    sibling = {"": f"/docker/{C}"}
    assert judge(sibling, ours, registry(C).get) == Verdict(container_id=C)


def test_a_container_named_like_an_id_gains_nothing() -> None:
    assert judge({"": f"/docker/{A}"}, HOST, {A: B}.get).unclear


def test_a_registry_of_short_ids() -> None:
    short = A[:12]
    assert judge({"": f"/docker/{A}"}, HOST, {A: short}.get) == Verdict(container_id=short)


@given(
    own=hex_id,
    other=hex_id,
    depth=st.integers(0, 3),
    form=st.sampled_from(["{}", "docker-{}.scope", "libpod-{}"]),
)
def test_no_inner_path_makes_a_container_another(
    own: str, other: str, depth: int, form: str
) -> None:
    lines = {"": f"/docker/{own}" + "/x" * depth + "/" + form.format(other)}
    assert judge(lines, HOST, registry(own, other).get).container_id in (None, own)
    only_other = judge(lines, HOST, registry(other).get).container_id
    assert only_other is None or own == other


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        paths = parse(text)
    except ValueError:
        return
    verdict = judge(paths, HOST, {}.get)
    assert verdict.container_id is None
