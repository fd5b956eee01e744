"""Makes a run directory for tests that need no lock on it."""

from mnist_jax import runs


def create(config):
    """Makes the run directory of `config`, as a run does when it begins, and returns its path."""
    with runs.claimed(config) as workdir:
        runs.begin(config, workdir)
        return workdir
