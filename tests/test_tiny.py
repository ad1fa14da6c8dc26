"""The whole story: data, model, training, a file, the same answers."""

from __future__ import annotations

import numpy as np

import convista
from convista.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D


def test_from_pictures_to_a_trained_and_saved_network(tmp_path):
    digits = convista.data.load("digits", offline=True)
    scale = np.float32(digits.train.x.max())
    x, y = digits.train.x / scale, digits.train.y
    model = convista.Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(16, 3, activation="relu", padding="same"),
            MaxPooling2D(),
            Conv2D(32, 3, activation="relu"),
            BatchNormalization(momentum=0.9),
            Flatten(),
            Dropout(0.2),
            Dense(10, activation="softmax"),
        ],
        seed=1,
    )

    summary = model.summary(print_to=None)
    assert model.output_shape == (None, 10)
    assert [row.parameters for row in summary.rows] == [160, 0, 4640, 128, 0, 0, 1290]
    assert model.count_params() == 6218

    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=6, validation_split=0.1, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]

    loss, accuracy = model.evaluate(digits.test.x / scale, digits.test.y, verbose=0)
    assert loss < 0.3
    assert accuracy > 0.9

    answers = model.predict(digits.test.x / scale)
    assert answers.shape == (len(digits.test.y), 10)
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-5)
    assert (answers.argmax(1) == digits.test.y).sum() == round(accuracy * len(digits.test.y))

    model.save(tmp_path / "digits.convista")
    again = convista.load_model(tmp_path / "digits.convista")
    np.testing.assert_array_equal(again.predict(digits.test.x / scale), answers)
