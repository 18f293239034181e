"""Requests are worked on one at a time, and leave their turn to others while they wait for their host."""

import asyncio

import pytest
from waiting import GUARD

from rerankllm.backends.openai.turns import Rank, Turns, traced

SENT, CONNECTING, CONNECTED = (f"x.{event}" for event in (
    "send_request_body.complete", "connect_tcp.started", "connect_tcp.complete"
))  # fmt: skip


def run(requests):
    """What these coroutine functions note, which are started at once."""
    notes = []

    async def all_of_them():
        turns = Turns()
        await asyncio.wait_for(asyncio.gather(*(make(turns, notes.append) for make in requests)), GUARD)
        assert not turns._taken

    asyncio.run(all_of_them())
    return notes


def request(name):
    async def send(turns, note):
        async with turns.one() as turn:
            for step in ("made", "sent"):
                note(f"{name} {step}")
                await asyncio.sleep(0)  # as libraries do at every step
            await traced(SENT, {})
            for _ in range(100):  # turns of the loop, after which all that can be made is made
                await asyncio.sleep(0)
            await turn.take(Rank.ANSWERED)
            for step in ("answered", "read"):
                note(f"{name} {step}")
                await asyncio.sleep(0)

    return send


def test_each_is_sent_before_the_next_is_made_and_read_before_the_next_is():
    notes = run([request(name) for name in "abc"])
    assert notes == [f"{name} {step}" for steps in (("made", "sent"), ("answered", "read")) for name in "abc"
                     for step in steps]  # fmt: skip


def test_who_connects_keeps_nobody_waiting_and_is_sent_before_anything_new_is_made():
    async def connecting(turns, note):
        async with turns.one():
            await traced(CONNECTING, {})
            note("connecting")
            await asyncio.sleep(0)
            await traced(CONNECTED, {})
            note("connected")
            await traced(SENT, {})

    notes = run([connecting, request("a"), request("b")])
    assert notes[:6] == ["connecting", "a made", "a sent", "connected", "b made", "b sent"]


def test_one_that_is_cancelled_or_fails_passes_its_turn_on():
    async def failing(turns, note):
        with pytest.raises(ZeroDivisionError):
            async with turns.one():
                note(f"failed {1 / 0}")
        note("failed")

    async def cancelled(turns, note):
        waiting = asyncio.ensure_future(request("never")(turns, note))
        await asyncio.sleep(0)
        waiting.cancel()

    notes = run([failing, request("a"), cancelled, request("b")])
    assert [note for note in notes if "read" in note or note == "failed"] == ["failed", "a read", "b read"]
    assert "never made" not in notes
