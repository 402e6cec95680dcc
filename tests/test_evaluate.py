"""Prediction of a set in chunks: what stands beside an image, or fills its chunk, does not matter."""

import jax
import numpy as np

from be_jax import mc_dropout, models
from be_jax.evaluate import CHUNK, make_predict


def test_an_image_has_the_same_dropout_masks_in_sets_of_all_sizes():
    ensemble = mc_dropout(models.MLP((8,), 3, 0.5), 2)
    x = np.random.default_rng(0).normal(size=(CHUNK + 7, 4)).astype(np.float32)
    variables = ensemble.init(jax.random.key(0), x[:1])
    predict = make_predict(ensemble, lambda x: x)
    whole = predict(variables, 3, "test", x)
    assert whole.shape == (2, CHUNK + 7, 3)
    assert not np.allclose(whole[0], whole[1])
    np.testing.assert_allclose(predict(variables, 3, "test", x[:9]), whole[:, :9], rtol=1e-5, atol=1e-6)
