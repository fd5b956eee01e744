"""Two processes beside one, and the model for more: it finds what made the seconds."""

import pytest

from experiments.speed import device_scaling as scaling

TRUE = {
    "overhead": 1e-3, "seconds_per_operation": 2e-11,
    "latency": 5e-4, "seconds_per_byte": 3e-10,
}  # fmt: skip
MEDIANS = {
    (name, width): scaling.modelled(TRUE, width, *scaling.ARRANGEMENTS[name])
    for name in scaling.ARRANGEMENTS
    for width in scaling.WIDTHS
}


def test_a_step_is_overhead_operations_rounds_and_bytes():
    """784-2-2-10 has 1,606 parameters of 4 bytes; 8 devices take 3 rounds and send 14/8 of them."""
    operations = 2 * 16 * (2 * 784 * 2 + 3 * (2 * 2 + 2 * 10)) / 8
    found = scaling.terms(2, devices=8, batch=16)
    assert found == [1, operations, 3, 14 / 8 * 4 * (785 * 2 + 3 * 2 + 3 * 10)]


def test_the_model_is_found_from_the_seconds_that_it_makes():
    assert scaling.fitted(MEDIANS) == pytest.approx(TRUE, rel=1e-6)


def test_no_coefficient_is_negative():
    """Two processes that are faster than half of one cannot show a negative cost of messages."""
    faster = {place: t / 3 if place[0] != "one" else t for place, t in MEDIANS.items()}
    assert min(scaling.fitted(faster).values()) >= 0


def test_devices_without_communication_or_overhead_are_worth_it_at_every_width():
    free = TRUE | {"overhead": 0.0, "latency": 0.0, "seconds_per_byte": 0.0}
    assert scaling.efficiency(free, 64, 8, per_device=True) == pytest.approx(1)
    assert scaling.efficiency(free, 64, 8, per_device=False) == pytest.approx(1)
    assert scaling.worth_from(free, 1024, per_device=False) == scaling.MODELLED[0]


def test_an_overhead_alone_is_shared_by_devices_with_a_batch_each_only():
    constant = TRUE | {"seconds_per_operation": 0.0, "latency": 0.0, "seconds_per_byte": 0.0}
    assert scaling.efficiency(constant, 64, 8, per_device=True) == pytest.approx(1)
    assert scaling.efficiency(constant, 64, 8, per_device=False) == pytest.approx(1 / 8)
    assert scaling.worth_from(constant, 8, per_device=False) is None


def test_a_gain_is_of_examples_per_second():
    assert scaling.gain("strong", seconds=1.0, of_one=2.0) == 2.0
    assert scaling.gain("weak", seconds=2.0, of_one=2.0) == 2.0


def test_a_step_is_of_the_epochs_after_the_first_without_their_evaluation():
    """Three evaluations of 0.5 s, one in each epoch."""
    epochs = [100.0, 4.5, 2.5]
    assert scaling.seconds_of_a_step(epochs, 1.5) == 3.0 / scaling.STEPS
