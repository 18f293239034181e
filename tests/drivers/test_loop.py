"""The loop of a driver's own thread."""

import threading

from waiting import GUARD, until

from rerankllm.drivers.loop import BackgroundLoop


def test_all_that_several_threads_hand_over_is_called_once_and_in_their_order():
    loop, called = BackgroundLoop(), []

    def hand(name):
        for number in range(500):
            loop.call(called.append, (name, number))

    threads = [threading.Thread(target=hand, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    until(lambda: len(called) == 1500)
    loop.close()
    for name in "abc":
        assert [number for each, number in called if each == name] == list(range(500))


def test_a_busy_loop_is_woken_once_for_all_that_comes_meanwhile():
    loop, called, busy, woken = BackgroundLoop(), [], threading.Event(), []
    wake = loop._loop.call_soon_threadsafe
    started = threading.Event()
    loop.call(lambda: (started.set(), busy.wait(GUARD)))
    assert started.wait(GUARD)
    loop._loop.call_soon_threadsafe = lambda *given: (woken.append(given), wake(*given))
    for number in range(20):
        loop.call(called.append, number)
    busy.set()
    until(lambda: len(called) == 20)
    loop.close()
    assert called == list(range(20))
    assert [given[0].__name__ for given in woken] == ["_call_all", "stop"]


def test_what_fails_keeps_nothing_else_from_being_called(caplog):
    loop, called = BackgroundLoop(), []
    loop.call(lambda: 1 / 0)
    loop.call(called.append, "next")
    until(lambda: called)
    loop.close()
    loop.call(called.append, "after the end")
    assert called == ["next"]
    assert "ZeroDivisionError" in caplog.text
