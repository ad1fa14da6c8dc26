"""Where the doctor begins to speak: every threshold, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, fields

from convista.errors import ArgumentError


@dataclass(frozen=True)
class Limits:
    """The thresholds of all findings; change one with ``Limits(dead_share=0.5)``.

    Args:
        examples: How many examples are looked at, at most.
        multiply_accumulates: What looking may cost forward, in multiply–accumulates; a large network is shown fewer
            examples, 64 at the least.
        training_multiply_accumulates: What the short training of the range test may cost; above it is left out.
        object_contrast: A value belongs to the object when it differs from the background by more than this share of
            the data's range.
        object_share: Share of the object that the receptive field covers, at the least.
        flatten_share: Share of all parameters that the layer after ``Flatten`` may have.
        flatten_parameters: Parameters of that layer below which its width is never a finding.
        lost_share: Share of the cells along an axis that no window sees, at the most.
        dead_share: Share of a layer's channels that may be 0 on all examples.
        saturated_share: Share of a layer's values that may lie in the flat ends of sigmoid or tanh.
        activation_growth: Times the values of a network may grow or shrink from its input to any layer.
        gradient_ratio: Times the relative gradient of one layer may exceed that of another.
        mute_share: Share of the examples whose loss may have no gradient.
        statistics_gain: How much higher the accuracy may be with the data's own statistics in batch normalisation.
        input_deviation: Largest standard deviation of what the first layer with weights sees.
        input_smallest: The smallest.
        input_offset: Times the mean may exceed the standard deviation.
        input_drift: Standard deviations that the data may lie from what normalisation layers remember.
        pass_examples: Examples of one pass over validation data that are compared with those of another.
        overfitting_gap: How much lower the accuracy of validation may be than that of training.
        overfitting_rise: Share by which the validation loss may rise above its lowest value.
        class_ratio: Times the largest class may be larger than the smallest.
        likeness: Two examples are nearly the same when they lie closer than this share of the usual distance from an
            example to its nearest neighbour of the same class.
        duplicate_share: Share of the examples that may be copies of others, or nearly so.
        memory: Bytes of data that are compared as a whole; of more only the sample.
        suspect_probability: A label is suspect when the model gives its class at most one minus this, and another
            class at least this.
        suspect_share: Share of suspect labels from which it is a finding.
        skilled: Accuracy from which a model's disagreement with a label says anything.
        rate_distance: Times the learning rate may be smaller than the one the range test proposes.
        rate_gain: Share of the proposed rate's progress that the rate of ``compile`` makes in the same steps, at least.
        rough_share: Share of the epochs after which the training loss may be a tenth higher than before.
        remainder: Share of the first loss below which jumps do not count.
        divergence: Times the last training loss may exceed the lowest.
        calibration_error: Largest expected calibration error of overconfident probabilities.
        doubt_error: The same for probabilities that are too cautious.

    Raises:
        ArgumentError: A limit is not a number above 0.

    Example:
        >>> Limits(dead_share=0.5).dead_share
        0.5
    """

    # On MNIST 4 000 and 10 000 gave the same findings in 3 and 6 times the time; of 300 three hard digits were suspect.
    examples: int = 1_000
    # A few seconds on 2 cores; a thousand pictures through the lectures' convnet need a fiftieth.
    multiply_accumulates: float = 3e11
    # Half a minute at the 300 GFLOP/s of 2 cores; the lectures' convnet needs a thirtieth.
    training_multiply_accumulates: float = 4e12
    # Pixels of handwriting are soft at their ends; a tenth of the range is above the noise of scans and of JPEG.
    object_contrast: float = 0.1
    # The lectures' convnet sees 18 of a digit's 20 rows, its twin without pooling 7 of 20, and is worse for it. Half an
    # object can still be told from another half by the Dense layer that joins them.
    object_share: float = 0.5
    # 87 % in the lecture's warning example, 11 % with pooling; in the demo's network 30 %.
    flatten_share: float = 0.5
    # The whole convnet of lecture 000 has 104 202: a layer smaller than that is no burden.
    flatten_parameters: int = 100_000
    # One row of 20: the last of 57 is no loss that anybody has measured, that of 11 is two rows of the picture.
    lost_share: float = 0.05
    # Of fifteen small networks that had learned the digits well, the worst had 14 % of a layer's channels dead.
    dead_share: float = 0.25
    # New tanh and sigmoid layers on scaled inputs have none there.
    saturated_share: float = 0.5
    # Glorot's weights halve the mean square with each relu layer: to a thirtieth of the size after ten.
    activation_growth: float = 100.0
    # Ten sigmoid layers have a ratio of a million; ten of tanh, or of relu with either initialiser, of less than 3.
    gradient_ratio: float = 1_000.0
    # What is hopeless for one example in twenty is no accident of a few wrong labels.
    mute_share: float = 0.05
    # The demo's network gains nothing after its 20 epochs, and nine points after 6.
    statistics_gain: float = 0.03
    # Initial weights are drawn for inputs of deviation 1; 0…1 pixels have 0.1 to 0.4.
    input_deviation: float = 5.0
    # 0…1 pixels that are divided by 255 once more have 0.001.
    input_smallest: float = 0.01
    input_offset: float = 10.0
    # Pixels 0…255 given as 0…1 lie many deviations away; another camera about one.
    input_drift: float = 1.5
    pass_examples: int = 2_000
    # Three points are common on small data; five is a gap that regularisation narrows.
    overfitting_gap: float = 0.05
    # From epoch to epoch small validation sets tremble by a tenth.
    overfitting_rise: float = 0.25
    # As in `convista data check`.
    class_ratio: float = 3.0
    # Of 1 000 pictures and their nearest among 20 000, no two of MNIST lie below 0.49 and of the digits below 0.35; in
    # CIFAR-10, which has such pairs, the closest lie at 0.27 and 0.30.
    likeness: float = 0.3
    # One copy in two hundred; a handful in a large set changes no result.
    duplicate_share: float = 0.005
    # 256 MiB: all of MNIST or CIFAR-10 in one look.
    memory: int = 1 << 28
    suspect_probability: float = 0.9
    # Of MNIST the convnet contradicts about 1 % after two epochs: hard digits with right labels.
    suspect_share: float = 0.015
    # Below it most disagreement is the network's fault.
    skilled: float = 0.6
    # Adam's 0.001 is 20 to 40 times below what a sweep proposes for small networks, and trains them well.
    rate_distance: float = 30.0
    # A rate that makes half the progress is a choice; below that the trial has confirmed the fault.
    rate_gain: float = 0.5
    # Noise alone rarely lifts an epoch's mean loss by a tenth once, let alone every third time.
    rough_share: float = 0.3
    # A tenth of the first loss is left: below that jumps are part of the end.
    remainder: float = 0.1
    divergence: float = 1.5
    # Above what chance makes; digits and MNIST networks that are sound stay below 0.03.
    calibration_error: float = 0.05
    # Label smoothing of 0.1 makes 0.09 on purpose; caution costs less than false certainty.
    doubt_error: float = 0.15

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ArgumentError(
                    "a limit is a number above 0",
                    where="Limits",
                    received=f"{item.name}={value!r}",
                    fix=f"Its default is {item.name}={item.default!r}",
                )
