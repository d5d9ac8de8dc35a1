"""Rings reach every listener, none is lost before a wait, and dead listeners do no harm."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from agenttower.engine.doorbell import Doorbell, socket_address


@pytest.fixture
def bells(tmp_path: Path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    bell = Doorbell(deep)
    yield bell, deep
    bell.close()


def test_a_ring_before_the_wait_is_kept(bells) -> None:
    bell, _ = bells
    listener = bell.listen("queue")
    bell.ring("queue")
    bell.ring("queue")
    assert listener.wait(0) is True
    assert listener.wait(0) is False, "all rings that came are taken at once"
    listener.close()


def test_topics_are_told_apart(bells) -> None:
    bell, _ = bells
    listener = bell.listen("events")
    bell.ring("queue")
    assert listener.wait(0) is False
    listener.close()


def test_a_waiting_thread_wakes(bells) -> None:
    bell, _ = bells
    listener = bell.listen("queue")
    heard: list[bool] = []
    thread = threading.Thread(target=lambda: heard.append(listener.wait(30)))
    thread.start()
    bell.ring("queue")
    thread.join(30)
    assert heard == [True]
    listener.close()


def test_a_dead_listeners_socket_is_cleared_away(bells) -> None:
    bell, directory = bells
    held = os.open(directory, os.O_RDONLY)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(socket_address(held, "queue.1.dead"))
    dead.close()
    os.close(held)
    bell.ring("queue")
    assert os.listdir(directory) == []


def test_a_full_buffer_does_not_block_or_fail(bells) -> None:
    bell, _ = bells
    listener = bell.listen("queue")
    for _ in range(5000):
        bell.ring("queue")
    assert listener.wait(0) is True
    listener.close()


def test_closing_takes_the_socket_away(bells) -> None:
    bell, directory = bells
    listener = bell.listen("queue")
    listener.close()
    assert os.listdir(directory) == []
