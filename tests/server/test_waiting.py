"""Waiting for several futures of another thread."""

import asyncio
import threading
from concurrent.futures import CancelledError, Future

import pytest
from waiting import GUARD

from rerankllm.server.waiting import all_of


def play(futures, settle):
    """What `all_of` gives for futures that `settle` sets on another thread, and how often the loop was woken."""
    woken = []

    async def main():
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *given: (woken.append(given), wake(*given))
        thread = threading.Thread(target=settle)
        waiting = asyncio.ensure_future(all_of(futures))
        await asyncio.sleep(0)
        thread.start()
        try:
            return await asyncio.wait_for(waiting, GUARD)
        finally:
            loop.call_soon_threadsafe = wake
            await asyncio.to_thread(thread.join, GUARD)

    return asyncio.run(main()), len([given for given in woken if given[0].__name__ == "end"])


def test_results_come_in_order_and_the_loop_is_woken_once():
    futures = [Future() for _ in range(20)]

    def settle():
        for number, future in reversed(list(enumerate(futures))):
            future.set_result(number)

    assert play(futures, settle) == (list(range(20)), 1)


def test_some_are_there_already():
    futures = [Future(), Future()]
    futures[1].set_result("b")
    assert play(futures, lambda: futures[0].set_result("a"))[0] == ["a", "b"]
    assert asyncio.run(all_of(futures)) == ["a", "b"]
    assert asyncio.run(all_of([])) == []


def test_the_first_that_fails_is_told_while_others_are_still_under_way():
    futures = [Future(), Future()]
    with pytest.raises(OSError, match="gone"):
        play(futures, lambda: futures[1].set_exception(OSError("gone")))
    with pytest.raises(CancelledError):
        play([Future(), cancelled := Future()], cancelled.cancel)
