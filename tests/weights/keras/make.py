"""Write the files in this folder: what Keras itself makes of small models, and what these models answer.

Not run by the tests, and nothing that netspec or its tests install can run it: ``pip install keras jax`` into an environment of its own,
then ``python make.py``. The files here are of Keras 3.15.1 on JAX 0.10. ``NAME.h5`` is the whole model in the older format,
``kinds.layers.h5`` its weights alone in that format, ``NAME.weights.h5`` those of Keras 3, ``NAME.npz`` an input and the answer to it.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py
import keras
import numpy as np
from keras import layers
from keras.src.legacy.saving import legacy_h5_format


def kinds() -> keras.Model:
    """One layer of each kind, among them what is left out of the weights: a dropout's random state."""
    return keras.Sequential(
        [
            keras.Input((8, 6, 2)),
            layers.Conv2D(4, (3, 2), padding="same", name="c1"),
            layers.BatchNormalization(name="b1"),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="dw"),
            layers.MaxPool2D(2),
            layers.Conv2DTranspose(3, 2, strides=2),
            layers.SeparableConv2D(5, 3),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.BatchNormalization(),
            layers.Dense(7, activation="relu"),
            layers.Dense(3),
        ]
    )


def line() -> keras.Model:
    """One dimension, grouped, without bias, a norm without scale, and no size that tells two axes apart."""
    return keras.Sequential(
        [
            keras.Input((9, 4)),
            layers.Conv1D(4, 3, groups=2, use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.Conv1D(4, 4, activation="relu"),
            layers.Flatten(),
            layers.Dense(16),
            layers.Dense(16),
        ]
    )


def branches() -> keras.Model:
    """Two branches side by side of the same shapes, told apart by nothing but names, and a nested model."""
    image = keras.Input((6, 6, 3))
    inner = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(4, 1, name="inner_conv"), layers.BatchNormalization()], name="inner")
    left = layers.Conv2D(4, 3, padding="same", name="left_conv")(inner(image))
    right = layers.Conv2D(4, 3, padding="same", name="right_conv")(inner(image))
    left = layers.BatchNormalization(name="left_bn")(left)
    right = layers.BatchNormalization(name="right_bn")(right)
    joined = layers.Concatenate()([layers.ReLU()(left), right])
    flat = layers.Concatenate()([layers.Flatten()(joined), layers.GlobalAveragePooling2D()(joined)])
    return keras.Model(image, layers.Dense(2)(flat))


def fill(model: keras.Model, random: np.random.Generator) -> None:
    """Numbers that no two weights share, variances above zero."""
    for variable in model.weights:
        values = random.uniform(0.5, 1.5, variable.shape) if "variance" in variable.path else random.uniform(-0.5, 0.5, variable.shape)
        variable.assign(values.astype(variable.dtype))


def main() -> None:
    for make in (kinds, line, branches):
        random = np.random.default_rng(7)
        model = make()
        fill(model, random)
        name = make.__name__
        model.save(f"{name}.h5")
        model.save_weights(f"{name}.weights.h5")
        if make is kinds:
            with h5py.File(f"{name}.layers.h5", "w") as file:
                legacy_h5_format.save_weights_to_hdf5_group(file, model)
        images = random.uniform(-1, 1, (3, *model.input_shape[1:])).astype(np.float32)
        np.savez(f"{name}.npz", images=images, answers=np.asarray(model(images, training=False)))


if __name__ == "__main__":
    main()
