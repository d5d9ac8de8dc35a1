"""One control-mode tmux client: command lines in, their output back (tmux-channel.md section 1)."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field

from agenttower.bench.interface import Deadline
from agenttower.bench.protocol import Block, Parser, ProtocolViolation
from agenttower.bench.transport import Transport
from agenttower.bench.wording import one_line
from agenttower.errors import BenchConnectionLost, BenchTimeout, TmuxCommandFailed

CONTROL_SESSION = "agenttower-ctl"

# -u: without it tmux replaces every character that is not ASCII. no-output: pane contents are not
# copied to us. A session of its own outlives every managed one and shields the channel from them.
OPEN = (
    "-u", "-C", "new-session", "-A", "-s", CONTROL_SESSION, "-x", "200", "-y", "50",
    "-f", "no-output,ignore-size", "--", "sleep", "infinity",
)  # fmt: skip

_PAST: Deadline = 0.0


class OpenRefused(Exception):
    """tmux did not let the client attach; the message is tmux's."""


@dataclass(slots=True)
class Reply:
    """The answer to one line, as far as it has come."""

    nonce: str
    output: list[str] = field(default_factory=list)
    failure: str | None = None

    def text(self) -> str:
        """What the line's commands printed.

        :raises TmuxCommandFailed: with the reason of the first ``%error``; the rest was not run.
        """
        if self.failure is not None:
            raise TmuxCommandFailed(f"tmux refused: {self.failure}", reason=self.failure)
        return "\n".join(self.output)


class Channel:
    """A control-mode client that is attached. Not for use by two threads at once.

    After :class:`BenchTimeout` or :class:`BenchConnectionLost` it is closed for good: what comes
    late belongs to nobody.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._parser = Parser()
        self._ended = False

    def handshake(self, deadline: Deadline) -> None:
        """Wait until the client is attached.

        :raises OpenRefused: tmux said no, or the client ended.
        :raises ProgramMissing: or a :class:`~agenttower.errors.BenchError`, where the transport
            says that the client was never started.
        """
        first = self._next_block(deadline)
        if first is None or not first.ok:
            while first is not None and not self._ended:
                self._receive(deadline)
            self.close()
            failure = self._transport.start_failure()
            if failure is not None:
                raise failure
            said = [first.body if first else "", self._transport.error_text()]
            raise OpenRefused(
                one_line("; ".join(filter(None, said)))
                or self._parser.exit_reason
                or "the client ended"
            )

    def alive(self) -> bool:
        """Read what has arrived since the last request; ``False`` once the client has ended."""
        while not self._ended:
            try:
                self._receive(_PAST)
            except TimeoutError:
                return True
            except (OSError, ProtocolViolation):
                break
            self._parser.blocks.clear()
        self.close()
        return False

    def request(self, line: str, deadline: Deadline) -> str:
        """Run one command line and return what its commands printed.

        :raises TmuxCommandFailed: with the reason of the first ``%error``; the rest was not run.
        """
        reply = self.begin(line, deadline)
        if not self.finished(reply, deadline):
            self.close()
            raise BenchTimeout(
                "tmux did not answer in time; the command may still take effect later"
            )
        return reply.text()

    def begin(self, line: str, deadline: Deadline) -> Reply:
        """Send one command line; :meth:`finished` tells when it has been run.

        A fresh nonce follows each line: however many commands it held, and whatever hooks said in
        between, the reply ends where the nonce comes back.
        """
        if not line.strip() or "\n" in line:
            raise ValueError("a command line must be one line, and not blank")
        reply = Reply(secrets.token_hex(8))
        sent = f"{line}\ndisplay-message -p {reply.nonce}\n".encode("ascii")
        try:
            self._transport.send(sent, deadline)
        except TimeoutError as error:
            self.close()
            raise BenchTimeout("tmux did not read in time; the outcome is unknown") from error
        except OSError as error:
            raise self._broken(error) from error
        return reply

    def finished(self, reply: Reply, deadline: Deadline) -> bool:
        """Wait for the answer to the line begun last; ``False`` at the deadline, and the channel
        stays as it is: the wait may be taken up again."""
        try:
            while True:
                block = self._next_block(deadline)
                if block is None:
                    raise ConnectionResetError(self._why_ended())
                if not block.ours:
                    continue
                if block.body == reply.nonce:
                    return True
                if not block.ok:
                    reply.failure = one_line(block.body) if not reply.failure else reply.failure
                elif block.body:
                    reply.output.append(block.body)
        except TimeoutError:
            return False
        except (OSError, ProtocolViolation) as error:
            raise self._broken(error) from error

    def end_input(self) -> None:
        """Ask the client to end; whoever waits for an answer sees the end of the stream."""
        with suppress(OSError):
            self._transport.end_input()

    def leave(self, deadline: Deadline) -> None:
        """End the client, and see it gone where that is in time: its end disturbs (see
        :mod:`agenttower.bench.opening_lock`)."""
        self.end_input()
        with suppress(OSError, ProtocolViolation):
            while self._receive(deadline):
                self._parser.blocks.clear()
        self.close()

    def close(self) -> None:
        """End the client. Panes and their programs are untouched."""
        self._ended = True
        self._transport.close()

    def _broken(self, error: Exception) -> BenchConnectionLost:
        self.close()
        return BenchConnectionLost(f"the channel to tmux broke: {error}")

    def _next_block(self, deadline: Deadline) -> Block | None:
        while not self._parser.blocks:
            if self._ended:
                return None
            self._receive(deadline)
        return self._parser.blocks.popleft()

    def _receive(self, deadline: Deadline) -> bool:
        """Take what comes next; ``False`` at the end of the stream."""
        data = self._transport.receive(deadline)
        self._parser.feed(data)
        if not data or self._parser.exit_reason is not None:
            self._ended = True
        return bool(data)

    def _why_ended(self) -> str:
        reason = self._parser.exit_reason
        said = reason if reason else self._transport.error_text()
        return one_line(said) or "the tmux client in the bench has ended"
