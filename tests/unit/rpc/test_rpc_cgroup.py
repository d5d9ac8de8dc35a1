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


# --- what real engines write ---------------------------------------------------------------------

POD = "pod0f3cd2a1_7b1e_4d0a_9a57_2f1c6a7d8e90"
RUNTIMES = [
    ("docker, cgroupfs, v1", f"12:pids:/docker/{A}\n1:name=systemd:/docker/{A}\n0::/docker/{A}\n"),
    ("docker, systemd, v1", f"4:cpu,cpuacct:/system.slice/docker-{A}.scope\n0::/\n"),
    ("docker, systemd, v2", f"0::/system.slice/docker-{A}.scope\n"),
    ("docker, cgroupfs, v2", f"0::/docker/{A}\n"),
    ("docker, cgroup parent", f"0::/my.slice/docker-{A}.scope\n"),
    (
        "docker, rootless",
        f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope\n",
    ),
    ("podman, systemd", f"0::/machine.slice/libpod-{A}.scope/container\n"),
    ("podman, cgroupfs", f"0::/libpod_parent/libpod-{A}\n"),
    (
        "podman, rootless",
        f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container\n",
    ),
    ("podman, in a pod", f"0::/machine.slice/machine-libpod_pod_{C}.slice/libpod-{A}.scope\n"),
    ("nerdctl", f"0::/system.slice/nerdctl-{A}.scope\n"),
    ("containerd", f"0::/default/{A}\n"),
    ("kubernetes, guaranteed, cgroupfs", f"0::/kubepods/{POD}/{A}\n"),
    ("kubernetes, burstable, cgroupfs", f"5:memory:/kubepods/burstable/{POD}/{A}\n0::/\n"),
    ("kubernetes, besteffort, cgroupfs", f"0::/kubepods/besteffort/{POD}/{A}\n"),
    (
        "kubernetes, guaranteed, systemd",
        f"0::/kubepods.slice/kubepods-{POD}.slice/cri-containerd-{A}.scope\n",
    ),
    (
        "kubernetes, burstable, systemd",
        f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{POD}.slice/"
        f"cri-containerd-{A}.scope\n",
    ),
    (
        "kubernetes, besteffort, cri-o",
        f"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-{POD}.slice/"
        f"crio-{A}.scope\n",
    ),
    (
        "kind: a node is a container itself, and its name is the outermost",
        f"0::/system.slice/docker-{A}.scope/kubelet.slice/kubelet-kubepods.slice/{POD}/{B}\n",
    ),
    ("docker in docker", f"0::/docker/{A}/docker/{B}\n"),
    ("systemd in docker", f"0::/docker/{A}/system.slice/ssh.service\n"),
    ("a group that is being removed", f"0::/docker/{A} (deleted)\n"),
    ("short id in a scope", f"0::/system.slice/docker-{A[:12]}.scope\n"),
    ("short id below docker", f"0::/docker/{A[:12]}\n"),
]
NO_CONTAINER = [
    "0::/\n",
    "0::/init.scope\n",
    "0::/user.slice/user-1000.slice/session-3.scope\n",
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-Terminal.scope\n",
    "0::/system.slice/agenttower.service\n",
    "11:pids:/user.slice\n1:name=systemd:/user.slice/session-1.scope\n0::/user.slice\n",
]


@pytest.mark.parametrize(("name", "text"), RUNTIMES, ids=[name for name, _ in RUNTIMES])
def test_what_engines_write_names_the_container(name: str, text: str) -> None:
    assert judge(parse(text), HOST, registry(A).get) == Verdict(container_id=A)
    assert judge(parse(text), HOST, registry(B).get).container_id is None
    assert judge(parse(text), HOST, {}.get).unclear


@pytest.mark.parametrize("text", NO_CONTAINER)
def test_what_a_host_without_container_writes(text: str) -> None:
    assert judge(parse(text), HOST, registry(A).get) == Verdict()


def test_seen_from_a_cgroup_namespace_of_our_own() -> None:
    """A daemon in a container sees what is outside of its own root as ``/..``."""
    ours = parse("0::/\n")
    assert judge(parse(f"0::/../{A}\n"), ours, registry(A).get) == Verdict(container_id=A)
    outside = parse(f"0::/../../system.slice/docker-{A}.scope\n")
    assert judge(outside, ours, registry(A).get) == Verdict(container_id=A)
    assert judge(parse("0::/../../user.slice\n"), ours, registry(A).get) == Verdict()


# --- what a container can write ------------------------------------------------------------------

own_name = st.text(
    st.characters(exclude_characters="/\n", exclude_categories=("Cs",)), min_size=1, max_size=90
)
trick = st.one_of(
    own_name,
    st.sampled_from(
        ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
    ).flatmap(
        lambda end: st.sampled_from(
            [
                f"x{end}0::",
                f"{end}0::",
                f"x{end}0::/docker/{B}",
                f"x{end}1:name=systemd:",
                f"docker-{B}.scope",
                B,
                B[:12],
                "docker",
                "..",
                " (deleted)",
                f"lxc.payload.{B}",
            ]
        )
    ),
)


@given(st.lists(trick, max_size=5), st.sampled_from(["", "name=systemd"]))
def test_no_group_that_a_container_makes_changes_whose_it_is(
    names: list[str], controllers: str
) -> None:
    """Names hold every character but the slash and LF; read as the kernel writes them."""
    inside = "/".join(["", "docker", A, *(name.replace("/", "") for name in names)])
    text = f"1:cpu:/docker/{A}\n0:{controllers}:{inside}\n"
    try:
        lines = parse(text)
    except ValueError:
        return
    assert lines[controllers].startswith(f"/docker/{A}")
    verdict = judge(lines, HOST, registry(A, B).get)
    assert verdict.container_id == A or verdict.unclear


def test_two_lines_for_the_same_controllers_are_refused() -> None:
    with pytest.raises(ValueError, match="two cgroup lines"):
        parse(f"0::/docker/{A}\n0::/\n")
