"""The clock of a run adds up the time of its parts."""

from mnist_jax import clock


def test_seconds_of_one_part_add_up_and_those_of_an_earlier_run_count(monkeypatch):
    times = iter([1.0, 1.0, 3.0, 10.0, 13.0, 21.0, 21.0])
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(times))
    running = clock.start_clock()
    for _ in range(2):
        with clock.timed(running, "train"):
            pass
    nothing = {"load": 0.0, "compile": 0.0, "evaluate": 0.0}
    assert clock.seconds_of(running) == {**nothing, "train": 5.0, "total": 20.0}
    clock.go_on(running, {**nothing, "train": 1.0, "compile": 2.0, "total": 100.0})
    assert clock.seconds_of(running) == {**nothing, "train": 6.0, "compile": 2.0, "total": 120.0}


def test_the_line_of_timings_says_every_part_and_what_belongs_to_none():
    parts = {"imports": 1.0, "load": 0.5, "files": 0.25}
    line = clock.timings_line({**parts, "total": 2.0})
    assert line == "seconds: imports 1.00, load 0.50, files 0.25, other 0.25, total 2.00"
