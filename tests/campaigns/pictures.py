"""Recognises MNIST's test images after turning each into a large, disturbed picture.

    MNIST_DATA_DIR=FOLDER python -m tests.campaigns.pictures runs/base
    MNIST_DATA_DIR=FOLDER python -m tests.campaigns.pictures --short

Each of the 10,000 images is inverted, enlarged 8 to 20 times, shifted, and put on coloured paper
with uneven light, a shadow, texture and noise. Each picture is recognised as the command would
do. The accuracy is compared with that of the network on MNIST's arrays. The first 200 images are
also turned into each of KINDS. 200 empty sheets and 200 pairs of digits are tried too. The results
are written to `pictures.json` beside this file.

The exit status is 1 if the accuracy on pictures is more than 0.5 percentage points lower, or if the
program finds no digit in more than 0.2 % of the unchanged images. The short form trains a network
for one epoch, tries 400 pictures and allows 2 points, because 400 are too few to measure half a
point. It writes nothing. The campaign needs MNIST_DATA_DIR.
"""

import functools
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from PIL import Image
from rich.progress import track

import mnist_jax
from mnist_jax import Config, data, pictures
from tests.campaigns import asked, record
from tests.campaigns.disturbed_pictures import KINDS, blank, disturbed, two

SEED, COUNT, FEW = 0, 10_000, 200


def original(image, draw):
    """The unchanged image."""
    return Image.fromarray(image)


def answer(make, numbered):
    """A picture in MNIST's form, as the command computes it, or None if no digit is found."""
    number, *images = numbered
    return pictures.network_image(make(*images, np.random.default_rng([SEED, number])))


def answers(make, images):
    """The 28×28 images of all pictures, computed in parallel."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        numbered = [(number, *each) for number, each in enumerate(images)]
        came = pool.map(functools.partial(answer, make), numbered, chunksize=16)
        return list(track(came, make.__name__, len(numbered)))


def outcome(model, came, labels):
    """The accuracy, and the number of pictures in which no single digit is found."""
    unseen = [each is None for each in came]
    images = np.array([np.zeros((28, 28), np.uint8) if each is None else each for each in came])
    right = (model.predict(images) == labels[: len(came)]) & ~np.array(unseen)
    return {"pictures": len(came), "accuracy": float(right.mean()), "not_seen": sum(unseen)}


def main(model, count, few, allowed=0.005, publish=False):
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    images, labels = data.load(Config(dataset="mnist"), say=print).test
    single = [(image,) for image in images[:count]]
    first = outcome(model, answers(original, single), labels)
    shown = outcome(model, answers(disturbed, single), labels)
    kinds = {make.__name__: outcome(model, answers(make, single[:few]), labels) for make in KINDS}
    empty = sum(each is not None for each in answers(blank, [()] * few))
    pairs = list(zip(images[:few], images[few : 2 * few], strict=True))
    two_seen = sum(each is not None for each in answers(two, pairs))
    numbers = {
        "network": model.config.name,
        "accuracy_of_the_arrays": float((model.predict(images[:count]) == labels[:count]).mean()),
        "original": first,
        "disturbed": shown,
        "kinds": kinds,
        "digit_seen_on_an_empty_sheet": empty,
        "one_digit_seen_where_two_are": two_seen,
    }
    record("pictures", numbers, publish)
    lost = numbers["accuracy_of_the_arrays"] - shown["accuracy"]
    return int(lost > allowed or first["not_seen"] > 0.002 * count)


def quick():
    """A network that is trained for one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        return mnist_jax.fit(Config(dataset="mnist", epochs=1, workdir=f"{folder}/run"))


if __name__ == "__main__":
    words = asked(__doc__)
    if "--short" in words:
        sys.exit(main(quick(), count=400, few=5, allowed=0.02))
    sys.exit(main(mnist_jax.load(words[0]), COUNT, FEW, publish=True))
