"""What the door says about a name that is not there: a misspelling, or something Keras has and Convista has not yet."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from convista.errors import missing_name, suggest

# The public names of Keras 3.15 that Convista does not have; a test compares them with Keras.
_IN_KERAS = {
    "": """
        DTypePolicy FloatDTypePolicy Function Initializer InputSpec KerasTensor Operation Quantizer Regularizer
        RematScope StatelessScope SymbolicScope Variable applications backend config constraints device distillation
        distribution dtype_policies export legacy name_scope ops quantizers random
        regularizers remat saving src tree version visualization wrappers
    """,
    "activations": """
        celu deserialize glu hard_shrink hard_silu hard_swish hard_tanh log_sigmoid mish serialize soft_shrink
        sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink threshold
    """,
    "callbacks": """
        BackupAndRestore CallbackList LambdaCallback OrbaxCheckpoint ProgbarLogger RemoteMonitor SwapEMAWeights
        TensorBoard TerminateOnNaN
    """,
    "datasets": "boston_housing california_housing imdb reuters",
    "initializers": """
        Constant Identity IdentityInitializer Initializer STFT STFTInitializer VarianceScaling constant deserialize
        identity serialize stft variance_scaling
    """,
    "layers": """
        ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D AdditiveAttention AlphaDropout Attention
        AugMix AutoContrast Bidirectional CategoryEncoding CenterCrop
        ContrastLimitedAdaptiveHistogramEqualization ConvLSTM1D ConvLSTM2D ConvLSTM3D CutMix Discretization Dot
        EinsumDense Embedding Equalization FlaxLayer GRU GRUCell GaussianDropout GroupQueryAttention
        HashedCrossing Hashing Identity InputSpec IntegerLookup JaxLayer LSTM LSTMCell Masking
        MaxNumBoundingBoxes MelSpectrogram MultiHeadAttention Pipeline RMSNormalization RNN RandAugment
        RandomColorDegeneration RandomElasticTransform RandomGaussianBlur RandomInvert RandomPerspective
        RandomPosterization RandomSharpness RepeatVector ReversibleEmbedding STFTSpectrogram SimpleRNN
        SimpleRNNCell Solarization SpectralNormalization StackedRNNCells StringLookup TFSMLayer
        TextVectorization TimeDistributed TorchModuleWrapper UnitNormalization Wrapper deserialize dot serialize
    """,
    "losses": """
        BinaryFocalCrossentropy CTC CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy CategoricalHinge
        Circle CosineSimilarity Dice Hinge Huber KLDivergence LogCosh MeanAbsolutePercentageError
        MeanSquaredLogarithmicError Poisson SquaredHinge Tversky binary_crossentropy binary_focal_crossentropy
        categorical_crossentropy categorical_focal_crossentropy categorical_generalized_cross_entropy
        categorical_hinge circle cosine_similarity ctc deserialize dice hinge huber kl_divergence log_cosh
        mean_absolute_error mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error poisson
        serialize sparse_categorical_crossentropy squared_hinge tversky
    """,
    "metrics": """
        AUC BinaryCrossentropy BinaryIoU CategoricalCrossentropy CategoricalHinge ConcordanceCorrelation
        CosineSimilarity FBetaScore FalseNegatives FalsePositives Hinge IoU KLDivergence LogCoshError Mean
        MeanAbsolutePercentageError MeanIoU MeanMetricWrapper MeanSquaredLogarithmicError OneHotIoU OneHotMeanIoU
        PearsonCorrelation Poisson PrecisionAtRecall R2Score RecallAtPrecision RootMeanSquaredError
        SensitivityAtSpecificity SparseCategoricalCrossentropy SpecificityAtSensitivity SquaredHinge Sum
        TrueNegatives TruePositives binary_accuracy binary_crossentropy binary_focal_crossentropy
        categorical_accuracy categorical_crossentropy categorical_focal_crossentropy categorical_hinge
        concordance_correlation deserialize hinge huber kl_divergence log_cosh mean_absolute_error
        mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error pearson_correlation poisson
        serialize sparse_categorical_accuracy sparse_categorical_crossentropy sparse_top_k_categorical_accuracy
        squared_hinge top_k_categorical_accuracy
    """,
    "mixed_precision": "DTypePolicy LossScaleOptimizer Policy",
    "models": "clone_model model_from_json save_model",
    "optimizers": """
        Adadelta Adafactor Adagrad Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon Nadam OptimizerMap
        ScheduleFreeAdamW deserialize legacy serialize
    """,
    "optimizers.schedules": "CosineDecayRestarts InverseTimeDecay deserialize serialize",
    "preprocessing": """
        image_dataset_from_directory sequence text_dataset_from_directory timeseries_dataset_from_array
    """,
    "preprocessing.image": "smart_resize",
    "utils": """
        Config CustomObjectScope FeatureSpace Progbar PyDataset Sequence audio_dataset_from_directory bounding_boxes
        clear_session custom_object_scope deserialize_keras_object disable_interactive_logging
        enable_interactive_logging get_custom_objects get_file get_registered_name get_registered_object
        get_source_inputs image_dataset_from_directory is_interactive_logging_enabled is_keras_tensor legacy
        model_to_dot normalize pack_x_y_sample_weight pad_sequences plot_model register_keras_serializable
        serialize_keras_object split_dataset standardize_dtype text_dataset_from_directory timeseries_dataset_from_array
        unpack_x_y_sample_weight
    """,
}


def in_keras(module: str) -> frozenset[str]:
    """Return the names that Keras has in a module and Convista has not.

    Args:
        module: Its name below ``keras``, such as ``"optimizers.schedules"``; empty for ``keras`` itself.

    Example:
        >>> sorted(in_keras("datasets"))
        ['boston_housing', 'california_housing', 'imdb', 'reuters']
    """
    return frozenset(_IN_KERAS[module].split())


def absent(module: str, name: str, known: Iterable[str]) -> AttributeError | ImportError:
    """Return what to raise for a name that a module of the door has not; for that module's ``__getattr__`` alone.

    Args:
        module: The module's ``__name__``.
        name: The name that was asked for.
        known: The names that it has.

    Returns:
        An AttributeError; for ``from module import name`` an ImportError of the same message.

    Example:
        >>> print(absent("convista.keras.layers", "Conv2d", ["Conv2D", "Dense"]))
        convista.keras.layers has no 'Conv2d'. Did you mean 'Conv2D'?
        >>> print(absent("convista.keras.datasets", "imdb", ["mnist"]))
        Keras has datasets.imdb, but Convista does not have it yet. convista.keras.datasets has: mnist.
    """
    below = module.removeprefix("convista.keras").lstrip(".")
    if name in in_keras(below):
        words = f"Keras has {f'{below}.' if below else ''}{name}, but Convista does not have it yet. "
        message = f"{words}{module} has: {', '.join(sorted(known))}."
    else:
        message = f"{module} has no {name!r}. {suggest(name, known)}"
    return missing_name(message, module=module, name=name, asked_by=sys._getframe(2))
