"""The programs that kill, and that damage files, in a small version; the full ones are commands."""

from tests.campaigns import fuzzing, killing


def test_a_run_that_was_killed_and_resumed_ends_with_the_bits_of_one_that_was_not(capfd):
    assert killing.main(kills=1, stops=1, epochs=3) == 0


def test_no_damaged_file_is_believed(mnist_data_dir, monkeypatch, capfd):
    monkeypatch.setenv("MNIST_DATA_DIR", mnist_data_dir)
    assert fuzzing.main(files=20, damaged=20) == 0


def test_no_damaged_checkpoint_is_believed():
    outcomes = fuzzing.damaged_checkpoints(40, seed=1)
    assert {"the newest", "an older one, said", "refused"} <= outcomes.keys() <= fuzzing.WHOLE
