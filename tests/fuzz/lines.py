"""Request lines that were never meant: hostile JSON, and good requests that have been damaged."""

from __future__ import annotations

from hypothesis import strategies as st

GOOD = (
    b'{"method":"ping"}',
    b'{"method":"status","params":{}}',
    b'{"method":"list_containers","params":{"active_only":true}}',
    b'{"method":"managed.layout.list","params":{"limit":1,"state":["ready","failed"]}}',
    b'{"method":"managed.layout.detail","params":{"layout_id":"a"}}',
    b'{"method":"events.list","params":{"limit":2,"types":["error"],"reverse":true}}',
    b'{"method":"queue.list","params":{"since":"2026-01-01T00:00:00.000Z","limit":5}}',
    b'{"method":"routes.show","params":{"route_id":"00000000-0000-4000-8000-000000000000"}}',
    b'{"method":"app.preflight"}',
    b'{"method":"app.hello","params":{"client_id":"x","client_app_contract_major":1}}',
    b'{"method":"app.dashboard","params":{"app_session_token":"x"}}',
)
"""Requests that change nothing."""

HOSTILE = (
    b"", b" ", b"\r", b"\0", b"{", b"{}", b"[]", b"null", b"1", b'""', b'"ping"', b"ping",
    b'{"method":"ping"}{"method":"ping"}', b'{"method":"ping"}\r', b'{"method":"ping"}\0',
    b'\xef\xbb\xbf{"method":"ping"}', b'{"method":"ping","method":"status"}',
    b'{"method":"ping","params":{},"params":null}', b'{"method":"ping","params":NaN}',
    b'{"method":"\\ud800"}', b'{"method":"ping\\u0000"}', b'{"method":"\xed\xa0\x80"}',
    b'{"method":"\\udcff","params":{"\\udfff":"\\ud83d"}}', b'{"method":""}', b'{"method":null}',
    b'{"method":["ping"]}', b'{"params":{}}', b'{"method":"ping","params":[]}',
    b'{"method":"status","params":{"x":1e999}}', b'{"method":"status","params":{"x":-1e-999}}',
    b'{"method":"managed.layout.list","params":{"limit":1.0}}',
    b'{"method":"managed.layout.list","params":{"limit":' + b"9" * 5000 + b"}}",
    b'{"method":"managed.event.list","params":{"after":9223372036854775808}}',
    b'{"method":"events.list","params":{"limit":18446744073709551616}}',
    b'{"method":"app.hello","params":{"client_app_contract_major":' + b"1" * 400 + b"}}",
    b"[" * 60_000, b'{"a":' * 12_000,
    b'{"method":"ping","params":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"method":"ping","params":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    b'{"method":"' + b"x" * 60_000 + b'"}', b'{"method":"app.' + b"x" * 60_000 + b'"}',
    b'{"method":"managed.\xc3\xa9"}', b'{"method":"app."}', b'{"method":"managed."}',
    b'{"method":"managed"}', b'{"method":"app"}',
)  # fmt: skip
"""Without their newline."""

_PIECES = (b"\0", b"\r", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b'"', b"\\", b"{", b"}",
           b"[", b"]", b",", b":", b"1e999", b"-", b"9" * 400, b"NaN", b"null", b"true", b" " * 300,
           b"\xef\xbb\xbf", b"#{pane_id}", b"$(id)", b"%s", b"\x1b[2J", b"/*", b"//")  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """A request with some of it cut, doubled, replaced or put in."""
    line = bytearray(draw(good))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        until = min(len(line), at + draw(st.integers(0, 12)))
        match draw(st.sampled_from(("cut", "drop", "double", "put", "flip"))):
            case "cut":
                del line[at:]
            case "drop":
                del line[at:until]
            case "double":
                line[at:at] = line[at:until]
            case "put":
                line[at:at] = draw(st.sampled_from(_PIECES))
            case _:
                line[at:until] = bytes(byte ^ 0x20 for byte in line[at:until])
    return bytes(line).replace(b"\n", b" ")


lines = st.one_of(
    damaged(st.sampled_from(GOOD)),
    st.sampled_from(HOSTILE),
    st.binary(max_size=200).map(lambda raw: raw.replace(b"\n", b"")),
)
"""One request line each, without its newline."""
